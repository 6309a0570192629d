"""The streams of the simulated exchange: names, connections, events, and the hub that ties them together."""
