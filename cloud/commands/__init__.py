"""The command line, one module a noun; `cloud.cli` puts it together."""
