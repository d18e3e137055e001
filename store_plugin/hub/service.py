"""The PluginStream service: from an accepted stream to a session in the registry, and back out.

A stream's coroutine reads; one task writes. Whatever ends first ends both: the peer, a stalled
write, a drain, the hub's stop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from store_plugin.bugs import a_bug
from store_plugin.errors import (
    Code,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.hub.calling.codec import ENVELOPED, PLAIN, Codec
from store_plugin.hub.entrance import Context, Entrance
from store_plugin.hub.goodbye import abort, say_goodbye
from store_plugin.hub.logs import PluginLog, Refusals
from store_plugin.hub.peer import Peer, registered_peer
from store_plugin.hub.registry import Entry, Registry
from store_plugin.hub.session import Noted, Session
from store_plugin.hub.settings import HubSettings
from store_plugin.log import Logger
from store_plugin.stream import frames
from store_plugin.stream.features import ALL, Feature
from store_plugin.stream.outbox import Outbox, PeerStalled
from store_plugin.stream.outcomes import CallFailed, failed, failed_with

_MOST_STREAMS_PER_PLUGIN = 2
"""Open streams beyond the limit of plugins: those that drain, and those not registered yet."""
_BROKEN = "its connection broke"


Admit: TypeAlias = Callable[[Peer], bool | None]
"""Looks at what a plugin brings along, before it is in; PluginRefused, InvalidRequest. True: it
is in, and held until somebody releases it."""

Joined: TypeAlias = Callable[[Peer], None]
"""Told of a plugin that has just come in, with no wait since it was admitted."""


class PluginStreams:
    """Serves PluginStream for a registry. One for all listeners of a hub."""

    def __init__(
        self,
        registry: Registry,
        settings: HubSettings,
        log: Logger,
        refusals: Refusals,
        admit: Admit,
        joined: Joined,
        noted: Noted,
    ) -> None:
        self._registry = registry
        self._refusals = refusals
        self._settings = settings
        self._log = log
        self._admit = admit
        self._joined = joined
        self._noted = noted
        self._dropped = 0
        self._sessions: dict[Session, Entry] = {}
        self._streams = 0
        self._drains: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def sessions(self) -> list[Session]:
        """Of all registered streams, those that drain too."""
        return list(self._sessions)

    @property
    def dropped(self) -> int:
        """Replies that no call waited for, of all streams there were."""
        return self._dropped + sum(session.dropped for session in self._sessions)

    def handlers(self, entrance: Entrance) -> list["grpc.GenericRpcHandler[Any, Any]"]:
        """The service under its own name and its aliases, for one listener."""
        service, method = frames.METHOD_PATH.strip("/").split("/")
        served = {service: PLAIN}
        served.update({a.service: ENVELOPED if a.envelope else PLAIN for a in self._settings.aliases})
        return [
            grpc.method_handlers_generic_handler(
                name,
                {method: grpc.stream_stream_rpc_method_handler(self._serve(codec, entrance))},
            )
            for name, codec in served.items()
        ]

    async def watch(self) -> None:
        """Send heartbeats and end what is silent or too old, for ever; the owner cancels."""
        interval = self._settings.heartbeat_interval
        while True:
            await asyncio.sleep(interval)
            for session in self.sessions:
                if not session.ended.done():
                    self._look_after(session)

    async def drain(self, grace: float) -> None:
        """Take no new streams, and let those there are finish for `grace` seconds."""
        self._stopping = True
        for entry in tuple(self._sessions.values()):
            self._registry.drain(entry)
        await asyncio.gather(*(session.drain(grace) for session in self.sessions))

    async def aclose(self) -> None:
        """End what still drains."""
        for task in tuple(self._drains):
            task.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)

    def _serve(self, codec: Codec, entrance: Entrance) -> Callable[[Any, Context], Awaitable[None]]:
        async def plugin_stream(_requests: Any, context: Context) -> None:
            await self._accept(codec, entrance, context)

        return plugin_stream

    async def _accept(self, codec: Codec, entrance: Entrance, context: Context) -> None:
        user = ""
        peer: Peer | None = None
        told: CallFailed | None = None
        try:
            self._take_stream()
            try:
                # Proxies and clients wait for headers before they pass anything on.
                await context.send_initial_metadata(())
                identity = await entrance.authenticate(context)
                user = identity.user
                first = await self._first_frame(codec, context)
                peer = registered_peer(first, identity, private=entrance.private)
                await entrance.authorize(identity, peer.name)
                self._check_running()  # whoever was asked above may have taken long
                hold = bool(self._admit(peer))
                most = self._most_bytes(peer) - codec.around
                session = Session(peer, Outbox(_writer(codec, context)), most_bytes=most, noted=self._noted)
                entry = self._registry.add(session, lambda: self._drain_later(session), hold=hold)
                told = await self._attend(session, entry, codec, context)
            finally:
                self._streams -= 1
        except StorePluginError as refusal:
            self._refusals.tell(peer.name if peer else "", user, refusal.message)
            told = failed_with(refusal)
        if peer is not None and peer.features:
            await say_goodbye(codec, context, told)
        if told is not None:
            await abort(context, told)

    async def _attend(
        self, session: Session, entry: Entry, codec: Codec, context: Context
    ) -> CallFailed | None:
        """Serve a registered stream until it ends; returns what its peer is to be told."""
        self._sessions[session] = entry
        peer, tasks = session.peer, list[asyncio.Task[None]]()
        try:
            self._joined(peer)
            self._log.info(
                "plugin connected",
                plugin=peer.name,
                version=peer.version,
                instance=peer.instance_id,
                user=peer.identity.user,
            )
            if peer.features:
                session.outbox.offer(self._acknowledgement(session))
            tasks += (
                asyncio.create_task(self._write(session), name="plugin outbox"),
                asyncio.create_task(self._read(session, codec, context), name="plugin stream"),
            )
            return (await asyncio.shield(session.ended)).told
        finally:
            # Where the connection broke, this is all that tells the calls under way. Nothing is
            # awaited before the last of it: this may be cancelled again.
            session.end(_BROKEN)
            for task in tasks:
                task.cancel()
            self._forget(session, entry)
            if tasks:
                await asyncio.wait(tasks)

    def _forget(self, session: Session, entry: Entry) -> None:
        del self._sessions[session]
        self._dropped += session.dropped
        why, peer = session.ended.result().how, session.peer
        self._registry.remove(entry, why)
        self._log.info("plugin gone", plugin=peer.name, instance=peer.instance_id, why=why)

    async def _read(self, session: Session, codec: Codec, context: Context) -> None:
        log = PluginLog(session.peer.name, self._log)
        try:
            while (data := await context.read()) is not frames.EOF:
                frame = codec.read(data)
                session.take(frame)
                if frame.HasField("log"):
                    log.take(frame.log)
                elif frame.HasField("drain"):
                    self._registry.drain(self._sessions[session])
        except StorePluginError as error:
            session.end(error.message, told=failed_with(error))
        except Exception as error:
            self._tell_why(session, error)
            session.end(_BROKEN)
        session.end("it has ended its stream")

    async def _write(self, session: Session) -> None:
        try:
            await session.outbox.run()
        except PeerStalled as stalled:
            session.end(str(stalled), told=failed(Code.RESOURCE_EXHAUSTED, str(stalled)))
        except Exception as error:
            self._tell_why(session, error)
            session.end(_BROKEN)

    def _tell_why(self, session: Session, error: Exception) -> None:
        """A stream that breaks is nothing special; whatever gRPC did not raise is a mistake here,
        which costs this plugin its stream and no other."""
        if isinstance(error, grpc.aio.BaseError):
            self._log.debug("plugin stream broke", plugin=session.peer.name, error=type(error).__name__)
        else:
            self._log.error("plugin stream ended", plugin=session.peer.name, problem=a_bug(error))

    async def _first_frame(self, codec: Codec, context: Context) -> frames.Frame:
        try:
            async with asyncio.timeout(self._settings.register_within):
                data = await context.read()
        except TimeoutError:
            raise DeadlineExceeded(
                f"no `register` came within {self._settings.register_within:g} s of opening the stream"
            ) from None
        if data is frames.EOF:
            raise InvalidRequest("the stream ended before `register`")
        return codec.read(data)

    def _check_running(self) -> None:
        if self._stopping:
            raise StoreUnavailable("the hub is stopping", retry_after=1.0)

    def _take_stream(self) -> None:
        self._check_running()
        most = _MOST_STREAMS_PER_PLUGIN * self._settings.limits.plugins
        if self._streams >= most:
            raise Overloaded(f"{most} streams are open, the limit", retry_after=10.0)
        self._streams += 1

    def _most_bytes(self, peer: Peer) -> int:
        """Of a message to that peer, which knows of the hub's limit where it is acknowledged."""
        most = self._settings.max_message_bytes
        return most if peer.features else min(most, frames.UNTOLD_MESSAGE_BYTES)

    def _acknowledgement(self, session: Session) -> frames.Frame:
        beats = Feature.HEARTBEAT in session.peer.features
        return frames.registered(
            session.peer.instance_id,
            ALL,
            self._settings.heartbeat_interval if beats else 0.0,
            self._settings.max_message_bytes,
        )

    def _look_after(self, session: Session) -> None:
        settings = self._settings
        # With the ping that is due now, so many beats have passed since the last sign of life.
        if session.unanswered + 1 >= max(2, settings.missed_heartbeats):
            session.end(f"it gave no sign of life for {session.silent_for():.0f} s")
        elif session.age() > settings.max_stream_age + settings.drain_grace:
            self._registry.drain(self._sessions[session])
        elif session.age() > settings.max_stream_age and not session.asked_to_come_again:
            session.ask_to_come_again(settings.drain_grace)
        else:
            session.ping()

    def _drain_later(self, session: Session) -> None:
        task = asyncio.create_task(session.drain(self._settings.drain_grace), name="plugin drain")
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)


def _writer(codec: Codec, context: Context) -> Callable[[frames.Frame], Awaitable[None]]:
    async def write(frame: frames.Frame) -> None:
        await context.write(codec.write(frame))

    return write
