"""Tests of the subnet library."""
