"""What is done when venue, Freqtrade and journal differ, or the bot stands still (I3, I4, I9)."""
