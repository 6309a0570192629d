"""What every room may use: errors with value and remedy, documents, redaction, the injected clock."""
