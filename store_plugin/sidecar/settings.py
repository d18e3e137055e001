"""Everything a person can set about the sidecar, in one frozen value.

`store-plugin serve` fills it from options and STORE_PLUGIN_… variables; nothing else in
the sidecar reads the environment.
"""

from dataclasses import dataclass, field
from pathlib import Path

from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint, Transport
from store_plugin.errors import InvalidRequest
from store_plugin.sidecar.hub.settings import HubOptions


@dataclass(frozen=True, slots=True)
class Pod:
    """The Pod that the sidecar runs in."""

    namespace: str
    name: str
    uid: str = ""
    """Empty where it is not known: `kubectl describe` then shows no Events of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Durations are in seconds, where nothing else is said."""

    config_dir: Path | None = None
    """None: configs come from the cluster."""
    listen: tuple[Endpoint, ...] = (Endpoint.parse(DEFAULT_ENDPOINT),)
    certs_dir: Path = Path("/certs")
    client_token_file: Path | None = None
    socket_mode: int = 0o660
    socket_group: str | None = None
    admin_listen: str = "127.0.0.1:8080"
    health_listen: str | None = None
    metrics_listen: str | None = None
    max_in_flight: int = 1000
    max_connection_idle: float = 60.0
    max_connection_age: float = 1800.0
    shutdown_grace: float = 15.0
    credential_poll_interval: float = 2.0
    log_level: str = "info"
    log_format: str = "json"
    access_log: bool = False
    pod_ip: str | None = None
    host_ip: str | None = None
    pod_name: str | None = None
    pod_namespace: str | None = None
    pod_uid: str | None = None
    allow_host_network: bool = False
    crds: str = "off"
    kubeconfig: Path | None = None
    """Names the cluster; None: the one that this Pod runs in."""
    context: str | None = None
    control_socket: Path | None = None
    hub: HubOptions = field(default_factory=HubOptions)
    plugins_dir: Path | None = None
    """Of the plugins that the sidecar runs; None: it runs none."""
    plugins_cert_life: float = 24.0
    """Hours that certificates of these plugins live."""
    plugins_require_signature: bool = False
    """Have signatures demanded in the plugins directory; False leaves it as it is there."""

    access_config: Path | None = None
    """Says how members of a fleet are logged in to, for stores that are there; None: none is."""
    access_require_digest: bool = False
    access_trusted_keys: Path | None = None

    write_status: bool = False
    lease_namespace: str | None = None

    @property
    def takes_plugins(self) -> bool:
        """Whether there is a hub: for plugins that dial, or for those that are run here."""
        return bool(self.hub.listen) or self.plugins_dir is not None

    @property
    def pod(self) -> Pod | None:
        """The Pod, where we were told which one it is."""
        if not self.pod_name or not self.pod_namespace:
            return None
        return Pod(self.pod_namespace, self.pod_name, self.pod_uid or "")

    def check(self) -> None:
        """Raise InvalidRequest where the sidecar must not start with these settings."""
        if self.config_dir is not None and not self.config_dir.is_dir():
            raise InvalidRequest(f"--config-dir {self.config_dir} is not a directory")
        if self.config_dir is not None and self.write_status:
            raise InvalidRequest("--write-status is for configs of a cluster: leave --config-dir out")
        if bool(self.pod_name) is not bool(self.pod_namespace):
            raise InvalidRequest("--pod-name and --pod-namespace belong together: give both or none")
        if self._on_host_network and not self.allow_host_network and self._has_abstract_socket:
            raise InvalidRequest(
                "the Pod uses hostNetwork, so every process of the node could reach the abstract socket; "
                "listen on a path socket instead, or pass --allow-host-network if that is wanted"
            )

    @property
    def _on_host_network(self) -> bool:
        return self.pod_ip is not None and self.pod_ip == self.host_ip

    @property
    def _has_abstract_socket(self) -> bool:
        return any(endpoint.transport is Transport.ABSTRACT for endpoint in self.listen)


def host_and_port(text: str) -> tuple[str, int]:
    """`HOST:PORT` taken apart; InvalidRequest where it is not that."""
    endpoint = Endpoint.parse(text)
    if endpoint.transport is not Transport.TCP:
        raise InvalidRequest(f"{text!r} is not HOST:PORT")
    host, _, port = endpoint.address.rpartition(":")
    return host.strip("[]"), int(port)
