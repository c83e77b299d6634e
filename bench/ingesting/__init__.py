"""Parts of the benchmark `ingest`."""
