"""Parts of `agent`: the agent as a process, a real broker, its memory, a simulated day."""
