"""Media and labels: ingest, splits, import and export; no torch."""
