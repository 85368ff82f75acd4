"""How images come from files into memory: opened, decoded once, read ahead."""
