"""Tests of edge_agent.update."""
