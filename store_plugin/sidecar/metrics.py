"""The sidecar's metrics, in a registry of its own.

Labels are bounded: methods and codes are fixed, kinds are those served, verbs are the
Store protocol's. No label holds a config's or a secret's name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from store_plugin.config.source import SourceState
from store_plugin.dispatch.state import Counts
from store_plugin.errors import Code
from store_plugin.sidecar.timings import Family, Timings

LabelsT = TypeVar("LabelsT", bound=tuple[str, ...])


class Metrics:
    """Counters and histograms of one sidecar."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Timings(
            Family(
                "store_plugin_requests",
                "Calls that ended, by method, kind of store config and gRPC code.",
                ("method", "kind", "code"),
            ),
            Family("store_plugin_request_seconds", "How long calls took, in seconds.", ("method",)),
        )
        self._store_calls = Timings(
            Family(
                "store_plugin_store_calls",
                "Calls to stores, by kind, verb of the Store protocol and outcome.",
                ("kind", "verb", "code"),
            ),
            Family(
                "store_plugin_store_call_seconds",
                "How long calls to stores took, in seconds.",
                ("kind", "verb"),
            ),
        )
        self.registry.register(self._requests)
        self.registry.register(self._store_calls)
        self._refused = Counter(
            "store_plugin_store_calls_refused",
            "Calls that the guards of a store refused, by kind and reason.",
            ("kind", "reason"),
            registry=self.registry,
        )
        self._repeated = Counter(
            "store_plugin_store_calls_repeated",
            "Calls to stores that failed and were repeated, by kind and verb of the Store protocol.",
            ("kind", "verb"),
            registry=self.registry,
        )

        self._plugin_events = Counter(
            "store_plugin_hub_events",
            "What happened to plugins: connected, ready, draining, gone, refused.",
            ("event",),
            registry=self.registry,
        )

    def request(self, method: str, kind: str, code: Code, seconds: float) -> None:
        """A call of `method` ended with `code`."""
        self._requests.add((method, kind, code.name), seconds)

    def store_call(self, kind: str, verb: str, code: Code, seconds: float) -> None:
        """A call to a store ended with `code`."""
        self._store_calls.add((kind, verb, code.name), seconds)

    def store_call_refused(self, kind: str, reason: str) -> None:
        """The guards of a store refused a call."""
        self._refused.labels(kind, reason).inc()

    def store_call_repeated(self, kind: str, verb: str) -> None:
        """A call to a store failed, and is made again."""
        self._repeated.labels(kind, verb).inc()

    def plugin_event(self, event: str) -> None:
        """Something happened to a plugin."""
        self._plugin_events.labels(event).inc()

    def watch_plugins(
        self, *, connected: Callable[[], int], in_flight: Callable[[], int], dropped: Callable[[], int]
    ) -> None:
        """Read these whenever the metrics are asked for."""
        gauges = {
            "store_plugin_plugins_connected": ("Plugin instances that take calls.", connected),
            "store_plugin_plugin_calls_in_flight": ("Calls to plugins under way.", in_flight),
        }
        for name, (what, read) in gauges.items():
            Gauge(name, what, registry=self.registry).set_function(read)
        self.registry.register(_DroppedReplies(dropped))

    def watch_managed(self, managed: Callable[[], Iterable["ManagedPlugin"]]) -> None:
        """Read how the plugins that the sidecar runs are doing whenever the metrics are asked for."""
        self.registry.register(_ManagedCollector(managed))

    def watch(
        self,
        *,
        in_flight: Callable[[], int],
        configs: Callable[[], Counts],
        problems: Callable[[], int],
        source: Callable[[], SourceState],
    ) -> None:
        """Read these whenever the metrics are asked for."""
        Gauge("store_plugin_in_flight", "Calls in flight.", registry=self.registry).set_function(in_flight)
        Gauge(
            "store_plugin_config_problems",
            "Problems in the manifests and the access config as they are now; /configs lists them.",
            registry=self.registry,
        ).set_function(problems)
        Gauge(
            "store_plugin_config_source_synced",
            "1 while changes of store configs and credentials would be seen, 0 while not.",
            registry=self.registry,
        ).set_function(lambda: source().synced)
        Gauge(
            "store_plugin_config_source_behind_seconds",
            "For how long changes may have gone unseen; 0 while synced.",
            registry=self.registry,
        ).set_function(lambda: source().behind)
        self.registry.register(_ConfigCollector(configs))

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _DroppedReplies(Collector):
    """A count that somebody else keeps."""

    def __init__(self, dropped: Callable[[], int]) -> None:
        self._dropped = dropped

    def collect(self) -> Iterable[CounterMetricFamily]:
        what = "Replies of plugins that no call waited for."
        return [CounterMetricFamily("store_plugin_plugin_replies_dropped", what, self._dropped())]


class ManagedPlugin(Protocol):
    """One of them, as `store_plugin.lifecycle.supervision.states.PluginStatus`."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def restarts(self) -> int: ...


class _ManagedCollector(Collector):
    """Plugins that the sidecar runs: as many series as are enabled."""

    def __init__(self, managed: Callable[[], Iterable[ManagedPlugin]]) -> None:
        self._managed = managed

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        managed = list(self._managed())
        states = {(one.name, str(one.state)): 1 for one in managed}
        yield _gauge("managed_plugins", "Plugins that it runs, by state.", ("plugin", "state"), states)
        what = "Ends of a plugin that nobody asked for, and starts that came to nothing."
        restarts = CounterMetricFamily("store_plugin_managed_plugin_restarts", what, labels=("plugin",))
        for one in managed:
            restarts.add_metric((one.name,), one.restarts)
        yield restarts


class _ConfigCollector(Collector):
    """Store configs by kind and state, the stores that are open and their guards, at the time
    of asking."""

    def __init__(self, counts: Callable[[], Counts]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[GaugeMetricFamily]:
        counts = self._counts()
        by_kind = {(kind,): number for kind, number in counts.open_stores.items()}
        in_flight = {(kind,): counts.in_flight[kind] for kind in counts.open_stores}
        waiting = {(kind,): counts.waiting[kind] for kind in counts.open_stores}
        return (
            _gauge("configs", "Store configs by kind and state.", ("kind", "state"), counts.configs),
            _gauge("open_stores", "Open stores by kind.", ("kind",), by_kind),
            _gauge(
                "store_breakers",
                "Open stores by kind and state of their breaker.",
                ("kind", "state"),
                counts.breakers,
            ),
            _gauge("store_calls_in_flight", "Calls to open stores under way.", ("kind",), in_flight),
            _gauge("store_calls_waiting", "Calls that wait for a turn at a store.", ("kind",), waiting),
        )


def _gauge(name: str, what: str, labels: Sequence[str], numbers: Mapping[LabelsT, int]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"store_plugin_{name}", what, labels=labels)
    for values, number in numbers.items():
        gauge.add_metric(values, number)
    return gauge
