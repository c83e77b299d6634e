"""The starter bundle that comes with the wheel."""
