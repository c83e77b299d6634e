"""What stands in `deploy`."""
