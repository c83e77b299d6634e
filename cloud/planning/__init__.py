"""What a number of streams, detectors and cameras asks of machines: pure, from measured figures."""
