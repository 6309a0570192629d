"""One pair trade as a state machine: facts in, state and actions out, and those who carry them out."""
