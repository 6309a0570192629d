"""The demonstration: the whole product on a simulated market, from a fresh clone, without key or network."""
