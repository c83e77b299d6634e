"""Tests of cloud.accounts."""
