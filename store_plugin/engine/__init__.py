"""Every rule about secrets, once, over any store.

get, apply and delete as docs/semantics.md tells them: additive merge, ownership, partial
delete, empty secrets, dry run, and a lost race tried again until the deadline.
"""

from store_plugin.engine.engine import Engine
from store_plugin.engine.fingerprints import Fingerprints
from store_plugin.engine.locks import LocationLocks
from store_plugin.engine.ownership import SETTLE_SECONDS, OwnershipPolicy
from store_plugin.engine.rules import Rules

__all__ = ["SETTLE_SECONDS", "Engine", "Fingerprints", "LocationLocks", "OwnershipPolicy", "Rules"]
