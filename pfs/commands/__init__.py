"""The command line of `pfs`: a file for each group of commands. The docstring of a command is its help."""
