"""The client for threads, on gRPC's synchronous API."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from store_plugin.client._base import ClientBase
from store_plugin.client._connection import Connection
from store_plugin.client._messages import FetchedSecret, apply_call, delete_call, get_call, named_keys
from store_plugin.client._threaded import ThreadedTransport
from store_plugin.model import Applied, ConfigReference, KeyChange, ScopedName, Secret, Version


class Client(ClientBase[ThreadedTransport]):
    """A client that any number of threads may share. One channel, made with the first call
    and kept; `close` it or use it as a context manager.

    Every call raises the classes of `store_plugin.errors`: NotReachable where nobody
    listens (nothing was sent), ConnectionLost where the connection ended during the call,
    DeadlineExceeded, and what the sidecar answers. `config` is a ConfigReference,
    `KIND/NAME` or `GROUP/VERSION/KIND/NAME`; `timeout` is in seconds. The options are
    those of `ClientBase`.
    """

    def get(
        self,
        config: ConfigReference | str,
        name: ScopedName | str,
        *,
        version: Version | str | int | None = None,
        timeout: float | None = None,
    ) -> FetchedSecret:
        """The secret, or an older version of it; empty where there is none."""
        return self._transport.send(get_call(config, name, version), timeout)

    def apply(
        self,
        config: ConfigReference | str,
        name: ScopedName | str,
        data: Mapping[str, bytes],
        metadata: Mapping[str, str] | None = None,
        *,
        owner: str | None = None,
        dry_run: bool = False,
        if_version: Version | str | int | None = None,
        timeout: float | None = None,
    ) -> Applied:
        """Merge data and metadata into the secret; nothing is removed.

        `owner` is the UID for the owner label. `dry_run` tells what would change.
        `if_version`: only if the stored version is this one (`model.NO_SECRET`: only if
        there is no secret), else Conflict.
        """
        secret = Secret(data, metadata or {})
        call = apply_call(config, name, secret, owner=owner, dry_run=dry_run, if_version=if_version)
        return self._transport.send(call, timeout)

    def delete_keys(
        self,
        config: ConfigReference | str,
        name: ScopedName | str,
        keys: Iterable[str],
        *,
        owner: str | None = None,
        keep_empty: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> tuple[KeyChange, ...]:
        """Remove keys; with the last one the secret goes too, unless `keep_empty`.

        InvalidRequest, and nothing is sent, where `keys` holds or yields none.
        """
        keys = named_keys(keys)
        call = delete_call(config, name, keys, owner=owner, keep_empty=keep_empty, dry_run=dry_run)
        return self._transport.send(call, timeout)

    def delete(
        self,
        config: ConfigReference | str,
        name: ScopedName | str,
        *,
        owner: str | None = None,
        keep_empty: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> tuple[KeyChange, ...]:
        """Remove the whole secret with all its versions, or empty it (`keep_empty`)."""
        call = delete_call(config, name, (), owner=owner, keep_empty=keep_empty, dry_run=dry_run)
        return self._transport.send(call, timeout)

    def close(self) -> None:
        """Close the channel; calls under way end with Cancelled. For good."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _transport_over(self, connection: Connection) -> ThreadedTransport:
        return ThreadedTransport(connection)
