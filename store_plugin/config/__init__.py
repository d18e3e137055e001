"""Where store configs and the credentials they refer to come from."""
