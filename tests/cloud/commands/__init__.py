"""Tests of cloud.commands."""
