"""Tests of cloud.detector."""
