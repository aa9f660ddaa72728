"""A sample of every check, for each `make test`."""
