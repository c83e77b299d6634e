"""Tests of edge_agent.report."""
