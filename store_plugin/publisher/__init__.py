"""The operator for everyone whose operators write Secrets and know no external store: it
publishes Secrets that ask for it, and fills those that ask for a secret from outside.

docs/publisher.md is for those who run it and those whose Secrets it publishes.
"""
