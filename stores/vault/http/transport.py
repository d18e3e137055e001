"""HTTP to the server of one config, as the rest of this store sees it.

Nothing here knows tokens or KV: a request has headers and a body, an answer has a status
and a body, and the network's errors are ours when they leave. Two clients do it:
lean.py, and general.py for servers that the lean one cannot talk to.
"""

from collections.abc import Mapping
from typing import Protocol

from store_plugin.store import Environment
from stores.vault.http.answer import Answer
from stores.vault.spec import VaultSpec

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 60.0
MOST_CONNECTIONS = 100


class Transport(Protocol):
    """Requests to the server of one config. Opens no connection before the first."""

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever its status. `path` is quoted already; `headers` are not
        changed afterwards.

        StoreUnavailable (no connection, a broken one, no HTTP), DeadlineExceeded (the
        config's timeout), LoginRefused (the server refuses our certificate), ConfigInvalid
        (certificates that are none, a header that cannot be sent).
        """
        ...

    def reload(self) -> None:
        """Read the certificates again before the next request."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


def open_transport(spec: VaultSpec, environment: Environment) -> Transport:
    """The client that the config names; only its library is imported."""
    if spec.http_client == "Aiohttp":
        from stores.vault.http.general import AiohttpTransport

        return AiohttpTransport(spec, environment)
    from stores.vault.http.lean import LeanTransport

    return LeanTransport(spec, environment)
