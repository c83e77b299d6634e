"""Device profiles as YAML, and how to install the agent on each device."""
