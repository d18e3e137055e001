"""Conditions and Events of store configs, written by the one elected replica of the standalone
deployment. A sidecar in an operator's Pod holds no right to write, and runs none of this."""
