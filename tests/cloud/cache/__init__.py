"""Tests of the model cache."""
