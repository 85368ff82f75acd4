"""A student as a folder that other programs can use, and predictions from it."""
