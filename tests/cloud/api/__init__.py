"""Tests of cloud.api."""
