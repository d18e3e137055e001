"""The sidecar's metrics, in a registry of its own.

Labels are bounded: methods and codes are fixed, kinds are those served, verbs are the
Store protocol's. No label holds a config's or a secret's name.
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from store_plugin.dispatch.state import Counts
from store_plugin.errors import Code

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters and histograms of one sidecar."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "store_plugin_requests",
            "Calls that ended, by method, kind of store config and gRPC code.",
            ("method", "kind", "code"),
            registry=self.registry,
        )
        self._latency = Histogram(
            "store_plugin_request_seconds",
            "How long calls took, in seconds.",
            ("method",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._store_calls = Counter(
            "store_plugin_store_calls",
            "Calls to stores, by kind, verb of the Store protocol and outcome.",
            ("kind", "verb", "code"),
            registry=self.registry,
        )
        self._store_latency = Histogram(
            "store_plugin_store_call_seconds",
            "How long calls to stores took, in seconds.",
            ("kind", "verb"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, ...], Counter | Histogram] = {}

    def request(self, method: str, kind: str, code: Code, seconds: float) -> None:
        """A call of `method` ended with `code`."""
        self._counter(self._requests, method, kind, code.name).inc()
        self._histogram(self._latency, method).observe(seconds)

    def store_call(self, kind: str, verb: str, code: Code, seconds: float) -> None:
        """A call to a store ended with `code`."""
        self._counter(self._store_calls, kind, verb, code.name).inc()
        self._histogram(self._store_latency, kind, verb).observe(seconds)

    def watch(
        self,
        *,
        in_flight: Callable[[], int],
        configs: Callable[[], Counts],
        problems: Callable[[], int],
    ) -> None:
        """Read these whenever the metrics are asked for."""
        Gauge("store_plugin_in_flight", "Calls in flight.", registry=self.registry).set_function(in_flight)
        Gauge(
            "store_plugin_config_problems",
            "Problems in the manifests as they are now; config check lists them.",
            registry=self.registry,
        ).set_function(problems)
        self.registry.register(_ConfigCollector(configs))

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, metric: Counter, *labels: str) -> Counter:
        child = self._children.get((metric._name, *labels))
        if child is None:
            child = self._children[metric._name, *labels] = metric.labels(*labels)
        assert isinstance(child, Counter)
        return child

    def _histogram(self, metric: Histogram, *labels: str) -> Histogram:
        child = self._children.get((metric._name, *labels))
        if child is None:
            child = self._children[metric._name, *labels] = metric.labels(*labels)
        assert isinstance(child, Histogram)
        return child


class _ConfigCollector(Collector):
    """Store configs by kind and state, and the stores that are open, at the time of asking."""

    def __init__(self, counts: Callable[[], Counts]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[GaugeMetricFamily]:
        configs = GaugeMetricFamily(
            "store_plugin_configs", "Store configs by kind and state.", labels=("kind", "state")
        )
        stores = GaugeMetricFamily("store_plugin_open_stores", "Open stores by kind.", labels=("kind",))
        counts = self._counts()
        for labels, number in counts.configs.items():
            configs.add_metric(labels, number)
        for kind, number in counts.open_stores.items():
            stores.add_metric((kind,), number)
        return (configs, stores)
