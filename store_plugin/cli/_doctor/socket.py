"""Whether somebody serves at the endpoint, and lets us in."""

from store_plugin.cli._connecting import Finding
from store_plugin.client import Client
from store_plugin.errors import (
    CallerUnknown,
    KindNotServed,
    PluginDisconnected,
    StorePluginError,
)
from store_plugin.wire import PROBE


def look(client: Client, endpoint: str) -> Finding:
    """Asks for a kind that nobody serves: the refusal shows that all before it works."""
    try:
        client.get(*PROBE)
    except (KindNotServed, PluginDisconnected):  # the latter where plugins may bring kinds of any group
        return Finding("ok", endpoint, "a sidecar serves here")
    except CallerUnknown as error:
        advice = "show its token with --token-file, or a certificate with --certs-dir"
        return Finding("error", endpoint, f"{error.message}; {advice}")
    except StorePluginError as error:
        return Finding("error", endpoint, error.message)
    return Finding("error", endpoint, "something answers that is no sidecar: who else listens there?")
