"""What things are: plans, legs, thresholds, orders, refusals, findings. Frozen, pure, no I/O.

Nothing in here imports Freqtrade, ccxt or SQLAlchemy.
"""
