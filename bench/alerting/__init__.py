"""Parts of the benchmark `alerts`."""
