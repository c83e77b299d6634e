"""Streams that the cloud watches for ever, with the camera's own pipeline; workers, leases, gaps."""
