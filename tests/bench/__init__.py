"""Tests of the benchmarks' own arithmetic; benchmarks themselves are not run here."""
