"""What credential references stand for: where they point, and the values that are there."""
