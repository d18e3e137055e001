"""Durations become the samples that Prometheus' own counter and histogram would give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.samples import Sample

from store_plugin.sidecar.timings import BUCKETS, Family, Timings

LABELS = ("kind", "verb", "code")
EVENTS = st.lists(
    st.tuples(
        st.tuples(
            st.sampled_from(("VaultConfig", "LocalConfig")),
            st.sampled_from(("read", "write")),
            st.sampled_from(("OK", "UNAVAILABLE")),
        ),
        st.one_of(st.floats(0, 60), st.sampled_from(BUCKETS)),
    )
)


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All but the times of creation, which only the library's own metrics have."""
    found: list[Sample] = [sample for family in registry.collect() for sample in family.samples]
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for sample in found
        if not sample.name.endswith("_created")
    }


@given(EVENTS)
def test_samples_are_those_of_the_library(events: list[tuple[tuple[str, str, str], float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    timings = Timings(Family("calls", "Calls.", LABELS), Family("call_seconds", "Seconds.", LABELS[:2]))
    ours.register(timings)
    counter = Counter("calls", "Calls.", LABELS, registry=theirs)
    histogram = Histogram("call_seconds", "Seconds.", LABELS[:2], registry=theirs, buckets=BUCKETS)
    for labels, seconds in events:
        timings.add(labels, seconds)
        counter.labels(*labels).inc()
        histogram.labels(*labels[:2]).observe(seconds)
    assert samples(ours) == pytest.approx(samples(theirs))
