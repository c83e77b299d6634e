"""Tests of edge_agent.camera."""
