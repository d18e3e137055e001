"""Manifests as text and as objects: what they declare, and what is wrong with them, line by line."""
