"""Collections of a Kubernetes API server, followed: the watches of configs, Secrets and StoreConfigs."""
