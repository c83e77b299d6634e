"""Tests of cloud.evaluation."""
