"""Alerts: which events people are told of, when, where and with what picture."""
