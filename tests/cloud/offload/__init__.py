"""Tests of cloud.offload."""
