"""Pair trades, orders and events, durable before anything is sent (I1).

They live in Freqtrade's database; where that cannot be written, intents go to a preallocated file.
"""
