"""Answers for cameras that are unsure: admission (web side) and inference (worker)."""
