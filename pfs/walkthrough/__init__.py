"""What the notebooks in `notebooks/walkthrough/` show: their data, the widget that points, and their pictures."""
