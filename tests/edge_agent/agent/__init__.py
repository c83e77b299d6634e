"""Tests of edge_agent.agent."""
