"""Durable jobs with progress and cancel."""
