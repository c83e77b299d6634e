"""Tests of cloud.notify."""
