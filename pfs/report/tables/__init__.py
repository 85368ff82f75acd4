"""The tables of a study: as numbers, for a page, and for a paper."""
