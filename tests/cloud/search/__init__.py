"""Tests of cloud.search."""
