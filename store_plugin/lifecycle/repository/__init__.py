"""A repository of plugins: an index and files, in a directory or behind any web server."""
