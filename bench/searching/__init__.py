"""Parts of the benchmark `search`: made-up events, and the databases that they lie in."""
