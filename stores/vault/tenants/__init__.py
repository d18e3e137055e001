"""`{scope}` in the role of a login: each tenant's secrets are reached by a login of its own."""
