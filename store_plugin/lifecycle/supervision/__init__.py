"""The processes of plugins: each kept by a keeper, started again when it ends, and ended with the
sidecar."""
