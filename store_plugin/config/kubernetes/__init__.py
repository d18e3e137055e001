"""Store configs from a Kubernetes API server: listed once, then watched.

No request waits for the API server: what is known is in the table of configs and in the
credentials, and stays there while the API server is away.
"""
