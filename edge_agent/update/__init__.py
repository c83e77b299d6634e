"""Signed bundles: fetch, verify, A/B slots, trial, roll back."""
