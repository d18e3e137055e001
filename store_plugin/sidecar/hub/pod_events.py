"""What happens to plugins as Events of the sidecar's own Pod, for `kubectl describe pod`.

It is told beside everything else: an API server that is slow or away holds up no plugin. What is
told again is counted in the Event that is there, so that a plugin that comes and goes for a day
leaves a few lines and not thousands.
"""

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from uuid import uuid4

from store_plugin import cluster_events
from store_plugin.bucket import TokenBucket, turn
from store_plugin.bugs import a_bug
from store_plugin.cluster_api import MERGE_PATCH, ClusterApi, Json
from store_plugin.errors import ConfigInvalid, Conflict, StorePluginError
from store_plugin.hub.events import Listening, RegistryEvent
from store_plugin.sidecar.hub import event_words
from store_plugin.sidecar.settings import Pod, Settings
from store_plugin.store import Logger

MOST_WAITING = 256
"""Lines that are not written yet; of more the oldest is lost."""
MOST_KNOWN = 1024
"""Events of ours that are counted on."""
_RATE = 1.0
_BURST = 20
"""Requests a second, and after a rest."""
_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
"""Seconds after a failure; they double."""

_Line = tuple[str, str]
"""Reason, and the plugin's name: what is one line to `kubectl`."""


async def tell_pod(
    pod: Pod, settings: Settings, cluster: ClusterApi | None, happening: Listening, log: Logger
) -> None:
    """Write Events of `pod` until cancelled, in `cluster` or, without one, in that of the settings."""
    async with AsyncExitStack() as stack:
        stack.enter_context(happening)
        try:
            api = cluster or await _connected(settings, stack)
        except StorePluginError as error:
            log.warning("Events of the Pod are not written", problem=error.message)
            return
        await PodEvents(api, pod, happening, log).run()


async def _connected(settings: Settings, stack: AsyncExitStack) -> ClusterApi:
    from store_plugin.cluster import connected

    try:
        await asyncio.to_thread(import_module, "kubernetes.aio.client")
    except ImportError:
        raise ConfigInvalid(
            "they need the extra kubernetes: pip install 'store-plugin[kubernetes]'"
        ) from None
    return ClusterApi(await stack.enter_async_context(connected(settings.kubeconfig, settings.context)))


@dataclass(frozen=True, slots=True)
class _Told:
    event: RegistryEvent
    times: int = 1


class PodEvents:
    """Belongs to one event loop; own a task of `run()`. `happening`: what the registry tells."""

    def __init__(self, api: ClusterApi, pod: Pod, happening: Listening, log: Logger) -> None:
        self._api = api
        self._pod = pod
        self._happening = happening
        self._log = log
        self._waiting: OrderedDict[_Line, _Told] = OrderedDict()
        self._written: OrderedDict[_Line, tuple[str, int]] = OrderedDict()
        """The Event's own name, and how often it has happened."""
        self._news = asyncio.Event()
        self._bucket = TokenBucket(_RATE, _BURST, asyncio.get_running_loop().time())
        self._pause = 0.0

    async def run(self) -> None:
        """Write until cancelled, or until nothing more is told. Failures go to the log."""
        writing = asyncio.create_task(self._write_all(), name="Events of the Pod")
        try:
            async for event in self._happening:
                self._take(event)
        finally:
            writing.cancel()
            await asyncio.wait((writing,))

    def _take(self, event: RegistryEvent) -> None:
        """The last one of a line stands for all."""
        line = event_words.reason(event), event.name
        before = self._waiting.pop(line, None)
        self._waiting[line] = _Told(event, before.times + 1 if before else 1)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._news.set()

    async def _write_all(self) -> None:
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            await turn(self._bucket)
            await self._write_one()
            await asyncio.sleep(self._pause)

    async def _write_one(self) -> None:
        line, told = self._waiting.popitem(last=False)
        try:
            await self._write(line, told)
            self._pause = 0.0
        except StorePluginError as error:
            self._keep(line, told)
            self._failed(error.message)
        except Exception as error:  # a mistake here must not end the telling
            self._failed(a_bug(error))

    def _keep(self, line: _Line, told: _Told) -> None:
        """For later, if there is room; what has happened meanwhile is newer."""
        newer = self._waiting.get(line)
        if newer is not None:
            self._waiting[line] = replace(newer, times=newer.times + told.times)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[line] = told
            self._waiting.move_to_end(line, last=False)

    def _failed(self, problem: str) -> None:
        """Told once, until something works."""
        if not self._pause:
            self._log.warning("Events of the Pod cannot be written", problem=problem)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause or _PAUSE)

    async def _write(self, line: _Line, told: _Told) -> None:
        name, times = self._written.get(line, ("", 0))
        times += told.times
        if not name or not await self._count(name, times, told):
            name, times = f"{self._pod.name[:200]}.{uuid4().hex[:16]}", told.times
            await self._create(name, line[0], told)
        self._written[line] = name, times
        self._written.move_to_end(line)
        if len(self._written) > MOST_KNOWN:
            self._written.popitem(last=False)

    async def _count(self, name: str, times: int, told: _Told) -> bool:
        """Whether the Event is still there: the API server lets them go after an hour."""
        body = {
            "count": times,
            "lastTimestamp": cluster_events.now(),
            "message": cluster_events.cut(event_words.message(told.event)),
        }
        path, names = (
            f"{cluster_events.COLLECTION}/{{name}}",
            {"namespace": self._pod.namespace, "name": name},
        )
        return await self._api.change("PATCH", path, names, body, content_type=MERGE_PATCH) is not None

    async def _create(self, name: str, reason: str, told: _Told) -> None:
        metadata = {"name": name, "namespace": self._pod.namespace}
        body = cluster_events.event(
            self._about(),
            metadata,
            warning=event_words.is_bad(told.event),
            reason=reason,
            message=event_words.message(told.event),
        )
        body["count"] = told.times
        names = {"namespace": self._pod.namespace}
        try:
            made = await self._api.change("POST", cluster_events.COLLECTION, names, body)
        except Conflict:
            return  # there already: an answer got lost
        if made is None:
            raise ConfigInvalid(f"there is no namespace {self._pod.namespace}: look at --pod-namespace")

    def _about(self) -> Json:
        found = {"apiVersion": "v1", "kind": "Pod", "name": self._pod.name, "namespace": self._pod.namespace}
        return {**found, "uid": self._pod.uid} if self._pod.uid else found
