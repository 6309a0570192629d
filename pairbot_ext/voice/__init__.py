"""What people and programs are told: one message per pair event, the event log, the final statistics."""
