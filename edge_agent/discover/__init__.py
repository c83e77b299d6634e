"""Finds cameras on the network and proposes which of their streams to look at; only for the command."""
