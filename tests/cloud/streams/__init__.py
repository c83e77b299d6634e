"""Tests of cloud.streams."""
