"""What things are like, told on their crops from a handful of examples; presence in whole frames alike."""
