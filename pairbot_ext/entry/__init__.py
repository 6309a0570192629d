"""Whether a pair may be entered: both legs are checked before the first is sent, and refused with numbers."""
