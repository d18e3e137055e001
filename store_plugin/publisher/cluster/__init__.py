"""The publisher's dealings with the API server: Secrets, StoreConfigs, Events."""
