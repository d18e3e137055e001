"""What commands ask of a running sidecar, over a socket that only its owner can open."""
