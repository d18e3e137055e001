"""LocalConfig: secrets in an encrypted file, for one machine and for trying things out.

Values and metadata are sealed with AES-256-GCM; scoped names and the names of keys are
not. Removing a whole secret from the file, or putting all its rows back as they once
were, is not noticed; every other change to a row is.
"""

from store_plugin.store import StoreFactory
from stores.local.factory import LocalFactory
from stores.local.spec import LocalSpec

factory: StoreFactory[LocalSpec] = LocalFactory()
