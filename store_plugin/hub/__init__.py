"""The hub: plugins connect to it, register, and are called over the stream they opened."""
