"""What a study's YAML file may say, as types. No torch here."""
