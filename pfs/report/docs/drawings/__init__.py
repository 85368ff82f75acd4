"""The figures that docs/ shows and that no single study has: the diagram of the method, and the ablations together."""
