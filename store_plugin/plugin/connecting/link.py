"""Keeps one hub connected: a stream, and another one when it ends or is about to."""

import asyncio
import math
import time
from collections.abc import Callable

import grpc

from store_plugin.errors import StorePluginError
from store_plugin.log import Logger
from store_plugin.plugin.backoff import Backoff
from store_plugin.plugin.connecting.dialing import Door, channel_to, knock, metadata_for, open_stream
from store_plugin.plugin.connecting.refusals import refusal_of_end, refusal_of_stream
from store_plugin.plugin.serving import HubSilent, HubStream, Wire
from store_plugin.stream import frames
from store_plugin.stream.outbox import PeerStalled
from store_plugin.stream.outcomes import CallFailed

MakeStream = Callable[[Wire, str, bool], HubStream]
"""A stream over a wire to the hub of that name, and whether that is known to acknowledge."""

LEAST_HASTE = 1.0
"""Seconds that another stream may always wait for its turn, however soon the hub wants one."""


class Link:
    """To the hub at one address. `streams` is where the open ones are kept; `lost` is called whenever
    there is none, and none could be opened.

    While it is not `wanted`, it opens no stream: those there are end when their hub ends them,
    which may still have calls to finish.
    """

    def __init__(
        self,
        target: str,
        door: Door,
        make_stream: MakeStream,
        streams: set[HubStream],
        lost: Callable[[], None],
        log: Logger,
    ) -> None:
        self.wanted = True
        self._target = target
        self._door = door
        self._make_stream = make_stream
        self._streams = streams
        self._lost = lost
        self._log = log
        self._backoff = Backoff()

    async def run(self, registration: frames.Frame) -> None:
        """For as long as it is wanted; the owner cancels. A stream that the hub drains goes on
        beside the new one."""
        async with asyncio.TaskGroup() as serving:
            while self.wanted:
                started, within = time.monotonic(), math.inf
                try:
                    within = await self._connect(registration, serving)
                except StorePluginError as error:
                    self._not_connected(error)
                except Exception as error:  # a plugin connects again for ever, whatever it is
                    self._log.error("not connected, unexpectedly", hub=self._target, exc_info=error)
                if within == math.inf:
                    self._lost()
                await asyncio.sleep(min(within, self._backoff.after(time.monotonic() - started)))

    async def _connect(self, registration: frames.Frame, serving: asyncio.TaskGroup) -> float:
        """Open a stream, and return when there should be another, with the seconds that it may take
        at most. PluginRefused, NotReachable, TokenUnavailable."""
        metadata = await metadata_for(self._door)
        channel = channel_to(self._target, self._door)
        try:
            acknowledges = await knock(channel, metadata, self._target)
            if not self.wanted:  # any more
                await channel.close(None)
                return math.inf
            stream = self._make_stream(open_stream(channel, metadata), self._target, acknowledges)
        except BaseException:
            await channel.close(None)
            raise
        self._streams.add(stream)
        serving.create_task(self._serve(stream, channel, registration), name="hub stream")
        await stream.draining.wait()
        if stream.finishing:
            await asyncio.Event().wait()  # the owner is about to cancel
        # A stream that goes on is one that the hub wants another for, or one whose place another
        # plugin of this name and instance has taken: in haste, the two would take turns for ever.
        return math.inf if stream.ended else max(LEAST_HASTE, stream.grace / 2)

    async def _serve(self, stream: HubStream, channel: grpc.aio.Channel, registration: frames.Frame) -> None:
        try:
            await stream.serve(registration)
            if not stream.finishing:
                self._log.info("the hub ended the stream", hub=self._target)
        except grpc.aio.AioRpcError as error:
            self._broken(stream, error)
        except CallFailed as told:
            self._told(told)
        except (PeerStalled, HubSilent, asyncio.InvalidStateError) as error:
            self._log.warning("the stream ended", hub=self._target, error=str(error))
        except Exception as error:  # other streams of this link have calls to finish
            self._log.error("the stream ended unexpectedly", hub=self._target, exc_info=error)
        finally:
            self._streams.discard(stream)
            stream.draining.set()
            await channel.close(None)

    def _broken(self, stream: HubStream, error: grpc.aio.AioRpcError) -> None:
        refusal = None if stream.heard_from else refusal_of_stream(error, self._target)
        if refusal is not None:
            self._not_connected(refusal)
        else:
            self._ended(error.code().name, error.details())

    def _told(self, told: CallFailed) -> None:
        refusal = refusal_of_end(told.code, told.message, self._target)
        if refusal is not None:
            self._not_connected(refusal)
        else:
            self._ended(told.code.name, told.message)

    def _not_connected(self, error: StorePluginError) -> None:
        self._log.warning("not connected", hub=self._target, reason=error.reason, error=error.message)

    def _ended(self, code: str, why: str | None) -> None:
        self._log.warning("the stream ended", hub=self._target, code=code, error=why)
