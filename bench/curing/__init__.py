"""Parts of the benchmark `cure`."""
