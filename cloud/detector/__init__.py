"""The full detector: subnets, adapters, neck, head, loss."""
