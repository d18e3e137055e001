"""The user of a kubeconfig that is kept as a secret."""

from dataclasses import dataclass, field

from store_plugin.access.stored.cluster import ClusterSaid
from store_plugin.kubeconfig_values import Kubeconfig

_USER = {"token", "client-certificate-data", "client-key-data"}
_CLUSTER = {
    "server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify", "proxy-url",
    "disable-compression",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class KubeconfigUser:
    """How one context logs in, and where."""

    cluster: ClusterSaid
    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


def user_of(kubeconfig: bytes, context: str | None) -> KubeconfigUser:
    """The user of `context`, or of the current one. ConfigInvalid shows no value."""
    cluster, user = Kubeconfig.read(kubeconfig).chosen(context)
    user.only(_USER)
    cluster.only(_CLUSTER)
    return KubeconfigUser(
        ClusterSaid(
            cluster.text("server") or None,
            cluster.data("certificate-authority-data") or None,
            cluster.text("tls-server-name") or None,
        ),
        token=user.text("token"),
        certificate=user.data("client-certificate-data"),
        key=user.data("client-key-data"),
    )
