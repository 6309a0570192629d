"""What a pairs file says where it says nothing; without the cost of its models, for `--help`."""

DEFAULT_MAX_HALF_LIVES = 4.0
