"""Is the cluster that a client is about to connect to the one that a credential is for?

A client sends the credential to the server that a profile names, over the TLS that the profile
describes. Whoever writes the profile could name a server of their own, or a proxy and an
authority of theirs before the right one. So what a secret says of its cluster has to match; and
where the profile's author had a say in which secret is taken, the secret has to say it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from store_plugin.access.authority import certificates_in
from store_plugin.access.exec_credential import ExecCluster
from store_plugin.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class ClusterSaid:
    """What a secret says of the cluster that it is for; None: nothing."""

    server: str | None = None
    authority: bytes | None = None
    """PEM."""
    tls_server_name: str | None = None


def check_same(said: ClusterSaid, asked: ExecCluster) -> None:
    """What is said is as asked. ConfigInvalid shows neither side."""
    if said.server is not None and _place(said.server) != _place(asked.server):
        raise _other("another server")
    if said.authority is not None and not _is_same(said.authority, asked.certificate_authority_data):
        raise _other("a cluster with another certificate authority")
    if said.tls_server_name is not None and said.tls_server_name != asked.tls_server_name:
        raise _other("another tls-server-name")


def check_chosen(said: ClusterSaid, asked: ExecCluster) -> None:
    """The same where the cluster's extension chose the secret: nothing may be left open."""
    if said.server is None:
        raise ConfigInvalid(
            "the cluster's extension chose this secret, which does not say what server it is for: "
            "add the key `server` to it, and `ca.crt` where the server has an authority of its own"
        )
    if asked.insecure_skip_tls_verify:
        raise ConfigInvalid("a credential that the extension chose is not given to an unverified server")
    check_same(ClusterSaid(said.server, said.authority or b"", said.tls_server_name or ""), asked)


def _other(what: str) -> ConfigInvalid:
    return ConfigInvalid(f"this credential is for {what} than the one that was asked for")


def _place(server: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(server.strip())
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", "", None, server)
    return (parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"))


def _is_same(said: bytes, asked: bytes) -> bool:
    certificates = certificates_in(said)
    return certificates is not None and certificates == certificates_in(asked)
