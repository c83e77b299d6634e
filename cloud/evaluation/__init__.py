"""How good a detector is, how sure that is, and whether the next one is better."""
