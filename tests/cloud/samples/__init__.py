"""Tests of cloud.samples."""
