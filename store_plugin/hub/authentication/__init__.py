"""Who may come in to a hub, and under which name: a module for each way to find out.

Two questions, asked one after the other. `Authenticate` finds out who opens a stream, from what
the listener shows of it. `Authorize` says whether that one may register a name. Which pair a
listener gets is chosen in `hub/access.py`.
"""

from store_plugin.hub.authentication.none import any_name, anyone

__all__ = ["any_name", "anyone"]
