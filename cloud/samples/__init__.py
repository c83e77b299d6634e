"""Sample tasks: elfowl's own hand-checked boxes, and where the clips they belong to come from."""
