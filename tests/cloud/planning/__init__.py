"""Tests of cloud.planning."""
