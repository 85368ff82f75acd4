"""What is shown: statistics, tables, figures, the page. No torch here."""
