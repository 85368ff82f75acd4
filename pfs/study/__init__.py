"""Which runs a study has, whether they are stale, and how they are executed. No torch but where it is tried."""
