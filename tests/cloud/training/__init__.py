"""Tests of cloud.training."""
