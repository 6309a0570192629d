"""The time machine: the unmodified live bot on the simulated exchange, in virtual time, judged by the venue's
books. What tests, drills and replays are made of."""
