"""One address, several servers: what a server answers about its place in a cluster."""
