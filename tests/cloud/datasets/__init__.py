"""Tests of cloud.datasets."""
