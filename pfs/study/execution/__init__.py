"""How the runs of a study are executed: notebooks, one after the other, until told to stop."""
