"""Tests of cloud.worker."""
