"""One run, from its name to its record."""
