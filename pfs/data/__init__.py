"""Images, labels and augmentation. What needs no torch here can be imported without it."""
