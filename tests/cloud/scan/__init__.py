"""Tests of cloud.scan."""
