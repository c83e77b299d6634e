"""What detectors learned, near to where it is needed: object store, disk, memory, GPU; no torch."""
