"""Where a standby sends a request: to the same path at the active node's address.

Only that is believed: a token goes along, so it never leaves TLS, and a redirect to anything
but the very same path is no standby's.
"""

from urllib.parse import unquote, urlsplit

from stores.vault.address import checked_server

REDIRECTS = frozenset({307, 308})
"""The ones that keep method and body; a server of Vault's API sends no other."""


def target_of(location: str | None, path: str, server: str) -> str | None:
    """The address of the server that is meant, for a request to `path` (quoted) that `server`
    did not serve. None where the token must not go there."""
    if not location:
        return None
    try:
        there = urlsplit(location)
        before, same, after = unquote(there.path).rpartition(unquote(path))
        target = checked_server(f"{there.scheme}://{there.netloc}{before}")
    except ValueError:
        return None
    downgraded = server.startswith("https://") and not target.startswith("https://")
    return None if downgraded or not same or after or target == server else target
