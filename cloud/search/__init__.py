"""When was it seen: a small query language, its evaluation over stored events, and counts of events."""
