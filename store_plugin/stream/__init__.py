"""What both ends of a PluginStream share: frames, features, outbox, handlers (docs/wire.md)."""
