"""What authors of plugins are given: a project to begin with, a hub to try a plugin, and the proof
that it keeps the contract."""
