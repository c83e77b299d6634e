"""Tests of how well things are followed on real footage."""
