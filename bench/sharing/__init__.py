"""Parts of the benchmark `shared`."""
