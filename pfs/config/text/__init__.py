"""Text that people write and read: a study's YAML as plain values, and the words that tell a mistake."""
