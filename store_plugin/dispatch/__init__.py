"""From a config reference to an engine over an open store."""
