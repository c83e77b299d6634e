"""Tests of bench.creating."""
