"""Tests of cloud.attributes."""
