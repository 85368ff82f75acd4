"""Whole studies whose runs are jobs of a cluster."""
