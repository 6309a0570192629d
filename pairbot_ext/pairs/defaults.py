"""What a pairs file says where it says nothing; without the cost of its models, for `--help`."""

DEFAULT_MAX_HALF_LIVES = 4.0
FILES_KEPT = 26
"""Pairs files that were in force and are kept: half a year of weeks."""
