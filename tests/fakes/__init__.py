"""Fakes: objects behind our own protocols, for unit tests."""
