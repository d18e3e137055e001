"""What a person can set about plugins that connect. Imports nothing of the hub."""

from dataclasses import dataclass
from pathlib import Path

from store_plugin.endpoints import Endpoint

DEFAULT_AUDIENCE = "store-plugin-hub"
"""Of ServiceAccount tokens for a hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """The options of `serve` that begin with `--hub`. Durations are in seconds."""

    listen: tuple[Endpoint, ...] = ()
    """None: no hub."""
    auth: str = "none"
    allow: tuple[str, ...] = ()
    """`USER=NAME`."""
    audience: str = DEFAULT_AUDIENCE
    namespace: str = ""
    certs_dir: Path | None = None
    socket_mode: int = 0o600
    plugin_groups: tuple[str, ...] = ()
    duplicates: str = "replace"
    max_plugins: int = 1000
    max_stream_age: float = 3600.0
    heartbeat: float = 10.0
