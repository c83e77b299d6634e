"""Bundles and the runtimes that execute them, behind one Backend protocol."""
