"""The hub inside the sidecar: which plugins may come, and what the kinds they bring change.

Imported only where the sidecar listens for plugins, except for `settings`.
"""
