"""Make an image's environment small: without what no sidecar uses, without debugging symbols,
and with compiled code for what is run.

Dockerfile runs it with the environment's own Python, where store-plugin is installed and
nothing else may be needed. docs/decisions/0043 tells what goes and why.
"""
