"""Tests of edge_agent.discover."""
