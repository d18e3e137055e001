"""What an operator needs to publish connection details as Crossplane's runtime does."""

from store_plugin.runtime.store_config import StoreConfig, StoreConfigSpec

__all__ = ["StoreConfig", "StoreConfigSpec"]
