"""Asking the cloud, within a time budget."""
