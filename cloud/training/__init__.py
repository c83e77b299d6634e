"""Cached features, fit, evaluate, recommend a threshold."""
