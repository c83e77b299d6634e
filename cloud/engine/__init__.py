"""Where work runs that the web process does not do itself: processes of this machine, or a cluster of Ray."""
