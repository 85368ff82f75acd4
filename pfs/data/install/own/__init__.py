"""A user's own images and masks, as they lie."""
