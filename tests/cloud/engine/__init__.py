"""Tests of cloud.engine."""
