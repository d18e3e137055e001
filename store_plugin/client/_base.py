"""The options that both clients are made with."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from store_plugin.client._connection import Connection, tls_files
from store_plugin.client._token import token_from
from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint

DEFAULT_TIMEOUT = 30.0
DEFAULT_CONNECT_TIMEOUT = 5.0

TransportT = TypeVar("TransportT")


class ClientBase(ABC, Generic[TransportT]):
    """Options of a client.

    endpoint: any spelling of docs/wire.md; the sidecar's abstract socket by default.
    token, token_file: bearer token, or the file that holds it, re-read when it changes.
    certs_dir: directory with ca.crt, tls.crt and tls.key; needed for TCP. ca_file,
    cert_file and key_file name single files instead. They are read when a channel is made
    and again when connecting fails and they have changed, so that renewed certificates
    are used as soon as the old ones no longer do; an open connection lives on with those
    it began with.
    server_name: the name in the server's certificate where it differs from the host.
    timeout: seconds a call may take unless it says otherwise; a day at most, whatever is said.
    connect_timeout: seconds of these to wait for a server that does not listen yet, and for its
    name to be resolved.

    InvalidRequest where options contradict each other.
    """

    def __init__(
        self,
        endpoint: Endpoint | str = DEFAULT_ENDPOINT,
        *,
        token: str | None = None,
        token_file: str | Path | None = None,
        certs_dir: str | Path | None = None,
        ca_file: str | Path | None = None,
        cert_file: str | Path | None = None,
        key_file: str | Path | None = None,
        server_name: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ) -> None:
        connection = Connection(
            endpoint=endpoint if isinstance(endpoint, Endpoint) else Endpoint.parse(endpoint),
            tls=tls_files(certs_dir, ca_file, cert_file, key_file),
            server_name=server_name,
            token=token_from(token, token_file),
            timeout=timeout,
            connect_timeout=connect_timeout,
        )
        self._transport = self._transport_over(connection)

    @abstractmethod
    def _transport_over(self, connection: Connection) -> TransportT: ...
