"""Parts of the benchmark `offload`: the two endpoints, and the crowd that asks them."""
