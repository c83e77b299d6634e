"""What job processes run: joins store, training and compress."""
