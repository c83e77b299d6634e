"""Tests of edge_agent.pipeline."""
