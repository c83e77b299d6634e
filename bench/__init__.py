"""Benchmarks: each prints a table and writes `bench/results/NAME.json`; ratios are of the same run."""
