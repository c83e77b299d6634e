"""Tests of edge_agent.offload."""
