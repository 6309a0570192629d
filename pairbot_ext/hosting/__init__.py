"""A bot as a service: secrets from files for whoever starts it, its health for whoever watches it."""
