"""Calls to plugins: a gRPC channel over the stream that a plugin opened."""
