"""What every `pairbot` command answers to the shell."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What every `pairbot` command answers to the shell."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
