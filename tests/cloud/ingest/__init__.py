"""Tests of cloud.ingest."""
