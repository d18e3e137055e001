"""The way to a hub: dialled, joined, kept, and found again when it is lost."""
