"""The tests of this room run bots."""

from quiet import quiet  # noqa: F401
