"""Parts of the benchmark `cache`."""
