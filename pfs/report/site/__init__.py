"""The pages that are shown in a browser: a study's report, and the index of all studies. No torch here."""
