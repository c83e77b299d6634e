"""Tests of edge_agent.wire."""
