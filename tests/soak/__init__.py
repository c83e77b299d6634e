"""Long tests, only by `make soak`."""
