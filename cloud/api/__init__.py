"""Thin HTTP routes over the rooms below."""
