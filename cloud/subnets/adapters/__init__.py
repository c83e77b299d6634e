"""What turns a kind of weights into a trunk."""
