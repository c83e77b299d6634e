"""Parts of the benchmark `streams`."""
