"""`pairbot prove`: what the engine relies on, claim by claim, on the simulated exchange and on the venue."""
