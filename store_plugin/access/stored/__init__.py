"""Credentials that are kept as secrets in a store, for the plugin that hands them out."""
