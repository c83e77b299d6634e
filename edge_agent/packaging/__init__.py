"""What it takes to install the agent on a device, written into a folder."""
