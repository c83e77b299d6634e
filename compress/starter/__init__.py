"""Makes the starter bundle that comes with the agent: a small general detector from open weights."""
