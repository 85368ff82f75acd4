"""The keys of a study's YAML, as docs/ shows them. No torch."""
