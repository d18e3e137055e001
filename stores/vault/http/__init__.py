"""HTTP to one server: two clients with one face, and the trust between the two ends."""
