"""Tests of cloud.actions."""
