"""Spreads, z and what follows from them: entries, exits, stops, the arbiter (I10, I11)."""
