"""The portal's server: detectors, training, fleet, events."""
