"""What the notebooks of `notebooks/walkthrough/` are made of: their arrays, their pictures and their controls."""
