"""The whole loop on real footage, in one command."""
