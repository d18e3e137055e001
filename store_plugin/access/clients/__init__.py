"""Clients of the kubernetes library, and the logins that they share."""
