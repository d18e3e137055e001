"""The life of plugins that the sidecar runs: installed, trusted, started, watched, updated, removed."""
