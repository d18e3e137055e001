"""How an exec plugin is run: what it sees, for how long, and whether it is the one it should be."""
