"""The venue itself: what it holds, how it matches, refuses and fails. Pure: no sockets, no own clock."""
