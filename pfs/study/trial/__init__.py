"""What is tried before anything trains."""
