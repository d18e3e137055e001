"""What `store-plugin demo` is made of: child processes, manifests and the story."""
