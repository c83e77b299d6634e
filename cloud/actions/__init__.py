"""What people and devices can do, through the HTTP API, the command line or MQTT alike; no torch, no HTTP."""
