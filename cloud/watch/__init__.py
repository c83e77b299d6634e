"""What a version sees in a whole video, frame by frame, to be watched and corrected."""
