"""Where workers run: as processes of this machine, or as actors in a cluster of Ray."""
