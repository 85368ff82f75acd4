"""The controls that walkthroughs have of their own, with names that a screen reader reads."""
