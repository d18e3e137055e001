"""The client for asyncio, on grpc.aio. Its calls are those of `Client`, awaited."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from store_plugin.client._asyncio import AsyncioTransport
from store_plugin.client._base import ClientBase
from store_plugin.client._connection import Connection
from store_plugin.client._messages import FetchedSecret, apply_call, delete_call, get_call, named_keys
from store_plugin.model import Applied, ConfigReference, KeyChange, ScopedName, Secret, Version


class AsyncClient(ClientBase[AsyncioTransport]):
    """A client that any number of tasks may share. One channel per event loop, made with
    the first call and kept; `close` it or use it as an asynchronous context manager.

    Arguments, results and errors are those of `Client`. A cancelled task cancels its call.
    """

    async def get(
        self,
        config: ConfigReference | str,
        name: ScopedName | str,
        *,
        version: Version | str | int | None = None,
        timeout: float | None = None,
    ) -> FetchedSecret:
        """The secret, or an older version of it; empty where there is none."""
        return await self._transport.send(get_call(config, name, version), timeout)

    async def apply(
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
        return await self._transport.send(call, timeout)

    async def delete_keys(
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
        return await self._transport.send(call, timeout)

    async def delete(
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
        return await self._transport.send(call, timeout)

    async def close(self) -> None:
        """Close the channel; calls under way end with Cancelled. For good."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _transport_over(self, connection: Connection) -> AsyncioTransport:
        return AsyncioTransport(connection)
