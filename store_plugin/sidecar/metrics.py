"""The sidecar's metrics, in a registry of its own.

Labels are bounded: methods and codes are fixed, kinds are those served, verbs are the
Store protocol's. No label holds a config's or a secret's name.
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from store_plugin.dispatch.state import Counts
from store_plugin.errors import Code
from store_plugin.sidecar.timings import Family, Timings


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

    def request(self, method: str, kind: str, code: Code, seconds: float) -> None:
        """A call of `method` ended with `code`."""
        self._requests.add((method, kind, code.name), seconds)

    def store_call(self, kind: str, verb: str, code: Code, seconds: float) -> None:
        """A call to a store ended with `code`."""
        self._store_calls.add((kind, verb, code.name), seconds)

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
