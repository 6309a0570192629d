"""Binance USDⓈ-M futures: its codes, weights, identifiers, settings and addresses. Named nowhere else."""
