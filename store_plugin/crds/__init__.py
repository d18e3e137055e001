"""CustomResourceDefinitions, made of the models that configs are checked with anyway.

One source for both: what the API server accepts and what the sidecar accepts cannot drift
apart. docs/decisions/0016 tells why the schemas are converted instead of written.
"""
