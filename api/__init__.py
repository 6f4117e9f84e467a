"""The HTTP API and the command line. Builds on `shared`; never loads `workers` or `scheduler`."""
