"""How data sets are put into place: fetched, recognised, converted, verified."""
