"""Which code a run's numbers depend on, and its hashes."""
