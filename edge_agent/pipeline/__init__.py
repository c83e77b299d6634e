"""From a picture to events: gate, detect, decide, track; no network inside."""
