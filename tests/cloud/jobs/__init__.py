"""Tests of cloud.jobs."""
