"""The state machines as tables, and the runner that turns them."""
