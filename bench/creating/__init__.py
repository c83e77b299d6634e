"""What the benchmarks `create` and `race` share: frames to learn from, rivals, a fresh process, a picture."""
