"""What a camera runs: capture, local detection, reports over MQTT, verified updates."""
