"""The publisher's metrics. No label holds the name of a Secret, a namespace or a store."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from store_plugin.publisher.conditions import Refused

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PREFIX = "store_plugin_publisher"


class Metrics:
    """In a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            f"{_PREFIX}_calls",
            "Calls to sidecars, by operation (publish, fetch, unpublish) and outcome.",
            ("operation", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            f"{_PREFIX}_call_seconds",
            "How long calls to sidecars took, in seconds.",
            ("operation",),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._changes = Counter(
            f"{_PREFIX}_changes", "Publications that changed something in a store.", registry=self.registry
        )
        self._writes = Counter(
            f"{_PREFIX}_writes",
            "Writes to Secrets: finalizer, status, data.",
            ("what",),
            registry=self.registry,
        )

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Around a call to a sidecar."""
        begin, outcome = perf_counter(), "ok"
        try:
            yield
        except Refused as error:
            outcome = error.reason
            raise
        except BaseException:
            outcome = "cut off"
            raise
        finally:
            self._calls.labels(operation, outcome).inc()
            self._seconds.labels(operation).observe(perf_counter() - begin)

    def changed(self) -> None:
        """A publication was news to the store."""
        self._changes.inc()

    def written(self, what: str) -> None:
        """A Secret was written."""
        self._writes.labels(what).inc()

    def watch(
        self,
        *,
        secrets: Callable[[], Iterable[tuple[str, str]]],
        waiting: Callable[[], int],
        working: Callable[[], int],
        behind: Callable[[], float],
    ) -> None:
        """Read these whenever the metrics are asked for. `secrets`: type of the condition and
        reason of each."""
        self.registry.register(_Gauges(secrets, waiting, working, behind))

    def render(self) -> bytes:
        """All of it, in the text format."""
        return generate_latest(self.registry)


class _Gauges(Collector):
    def __init__(
        self,
        secrets: Callable[[], Iterable[tuple[str, str]]],
        waiting: Callable[[], int],
        working: Callable[[], int],
        behind: Callable[[], float],
    ) -> None:
        self._secrets = secrets
        self._single: Mapping[str, tuple[str, Callable[[], float]]] = {
            f"{_PREFIX}_waiting": ("Secrets that wait for their turn.", waiting),
            f"{_PREFIX}_working": ("Secrets that a worker has in hand.", working),
            f"{_PREFIX}_behind_seconds": (
                "Seconds for which changes in the cluster may have gone unseen; 0: none.",
                behind,
            ),
        }

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            f"{_PREFIX}_secrets", "Secrets, by condition and its reason.", labels=("type", "reason")
        )
        for labels, number in Tally(self._secrets()).items():
            family.add_metric(labels, number)
        yield family
        for name, (what, read) in self._single.items():
            yield GaugeMetricFamily(name, what, value=read())
