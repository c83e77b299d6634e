"""From MQTT to stored events, each once."""
