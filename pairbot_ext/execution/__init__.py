"""The two-leg execution engine."""
