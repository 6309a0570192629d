"""Freqtrade's tables and the journal as one: kept in a file, put back, moved to another kind of database."""
