"""Binance's REST dialect: authentication, routing and JSON shapes. No sockets: those are in `sim.server`."""
