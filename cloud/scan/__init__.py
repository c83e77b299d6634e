"""Looks through recordings, many times faster than real time, and tells what it saw as events."""
