"""Parts of `tracking`: real detections, annotated identities, a plain rival, and the scores."""
