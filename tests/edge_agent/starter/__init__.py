"""Tests of the starter bundle."""
