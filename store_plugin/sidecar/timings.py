"""Counts and durations by label, as counters and histograms for Prometheus.

prometheus-client's own take a lock for each bucket and each counter, which was a tenth of
what a get costs here. These belong to one event loop, need no lock, and become samples
when somebody asks.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds in seconds; what is above the last one counts as infinite."""

Labels = tuple[str, ...]


@dataclass(slots=True)
class _Spread:
    """Durations by bucket, not yet summed up."""

    sum: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))


@dataclass(frozen=True, slots=True)
class Family:
    """Name, help and labels of a metric; Prometheus adds `_total` to a counter's name."""

    name: str
    help: str
    labels: Labels


class Timings(Collector):
    """A counter and a histogram of the same events. The histogram's labels are the first
    ones of the counter's."""

    def __init__(self, counter: Family, histogram: Family) -> None:
        self._counter = counter
        self._histogram = histogram
        self._counts: dict[Labels, int] = {}
        self._spreads: dict[Labels, _Spread] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """One event, which took so long."""
        self._counts[labels] = self._counts.get(labels, 0) + 1
        key = labels[: len(self._histogram.labels)]
        spread = self._spreads.get(key)
        if spread is None:
            spread = self._spreads[key] = _Spread()
        spread.sum += seconds
        spread.buckets[bisect_left(BUCKETS, seconds)] += 1

    def collect(self) -> Iterable[CounterMetricFamily | HistogramMetricFamily]:
        counts = CounterMetricFamily(self._counter.name, self._counter.help, labels=self._counter.labels)
        for labels, number in self._counts.items():
            counts.add_metric(labels, number)
        spreads = HistogramMetricFamily(
            self._histogram.name, self._histogram.help, labels=self._histogram.labels
        )
        for labels, spread in self._spreads.items():
            spreads.add_metric(labels, list(_cumulative(spread)), spread.sum)
        return counts, spreads


def _cumulative(spread: _Spread) -> Iterator[tuple[str, float]]:
    """Each bound with how many events were no longer than it."""
    bounds = [*map(floatToGoString, BUCKETS), "+Inf"]
    return zip(bounds, map(float, accumulate(spread.buckets)), strict=True)
