"""What a store's failures tell: callers, which config they are about; pages and logs, no secret."""

from store_plugin.errors import ConfigInvalid, StorePluginError
from store_plugin.model import ConfigReference


def naming(config: ConfigReference, error: Exception) -> Exception:
    """`error`, naming the config: stores and credentials know only the part of it that is
    wrong. The same object where nothing was missing."""
    if not isinstance(error, ConfigInvalid) or str(config) in error.message:
        return error
    return type(error)(f"{config}: {error.message}", metadata=error.metadata, retry_after=error.retry_after)


def told(error: Exception) -> str:
    """An error for people; the text of one that is not ours may hold anything."""
    return error.message if isinstance(error, StorePluginError) else f"failed with {type(error).__name__}"
