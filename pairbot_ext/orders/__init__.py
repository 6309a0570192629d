"""Every order's way to the venue and back: an intent before, a settled fate after (I1, I3)."""
