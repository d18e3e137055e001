"""Everything a person can set about the publisher, in one frozen value.

`store-plugin publisher` fills it from options and STORE_PLUGIN_PUBLISHER_… variables;
nothing else in the publisher reads the environment.
"""

from dataclasses import dataclass, field
from pathlib import Path

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest
from store_plugin.publisher.wishes.wish import Defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Durations are in seconds."""

    kubeconfig: Path | None = None
    """Names the cluster; None: the one that this Pod runs in."""
    context: str | None = None
    store_configs: str = "secrets.crossplane.io/v1alpha1"
    namespaces: tuple[str, ...] = ()
    """Empty: all of them."""
    defaults: Defaults = field(default_factory=Defaults)
    resync_interval: float = 3600.0
    concurrency: int = 16
    cluster_id: str | None = None
    certs_dir: Path = Path("/certs")
    server_name: str | None = None
    token_file: Path | None = None
    timeout: float = 30.0
    admin_listen: str = "127.0.0.1:8082"
    log_level: str = "info"
    log_format: str = "json"

    @property
    def admin_address(self) -> tuple[str | None, int]:
        """Host and port; host None: all of them. InvalidRequest where it is not that."""
        endpoint = Endpoint.parse(self.admin_listen)
        if endpoint.transport is not Transport.TCP:
            raise InvalidRequest(f"--admin-listen {self.admin_listen} is not HOST:PORT")
        host, _, port = endpoint.address.rpartition(":")
        return (None if host == "*" else host.strip("[]")), int(port)
