"""What a plugin is written with: see docs/plugins.md."""

from store_plugin.plugin.plugin import Plugin
from store_plugin.plugin.tokens import SERVICE_ACCOUNT_TOKEN, TokenSource

__all__ = ["SERVICE_ACCOUNT_TOKEN", "Plugin", "TokenSource"]
