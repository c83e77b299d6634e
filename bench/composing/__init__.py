"""Parts of `truth`: films composed of real footage in which everybody's coming and going is known."""
