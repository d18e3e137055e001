"""KV secrets engines: how their two versions hold a secret."""
