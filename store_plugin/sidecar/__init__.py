"""The sidecar process: listeners, interceptors, the service, health and admin HTTP."""
