"""The hub: plugins connect to it, register, and are called over the stream they opened.

An operator takes it from here: docs/plugins.md.
"""

from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.hub import Hub, HubListener
from store_plugin.hub.settings import HubSettings
from store_plugin.stream.handlers import HandlerTable

__all__ = ["HandlerTable", "Hub", "HubListener", "HubSettings", "any_name", "anyone"]
