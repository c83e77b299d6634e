"""Parts of the benchmark `ui`."""
