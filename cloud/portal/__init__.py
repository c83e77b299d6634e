"""Thin pages and static ES modules over the HTTP API."""
