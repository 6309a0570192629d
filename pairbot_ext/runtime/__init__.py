"""What one strategy object needs: settings, pairs file, candles, desk, control."""
