"""A loopback stand-in for Binance USDⓈ-M futures: its market, its venue and its HTTPS server."""
