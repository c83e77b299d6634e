"""Tests of cloud.portal."""
