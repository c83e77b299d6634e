"""The library of pretrained subnets: manifests, weights, adapters, and feature extraction."""
