"""Spool, MQTT, Home Assistant discovery, snapshots and key frames."""
