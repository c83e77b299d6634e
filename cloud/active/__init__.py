"""Which frames of unlabelled footage teach a detector most: those in doubt, unlike each other."""
