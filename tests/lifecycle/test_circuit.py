"""A plugin is left alone when starting it again has not helped, however long each try takes."""

import pytest

from store_plugin.lifecycle.supervision.circuit import Circuit


@pytest.fixture
def circuit() -> Circuit:
    return Circuit(most=3, window=100.0)


def fail(circuit: Circuit, *well_for: float) -> None:
    for seconds in well_for:
        circuit.failed(seconds)


@pytest.mark.parametrize(
    ("well_for", "is_open"),
    [
        ((0, 0), False),
        ((0, 0, 0), True),
        ((0, 40, 40), True),
        ((0, 60, 60), False),
        ((1000, 0, 0), True),
        ((0, 0, 1000), False),
        ((0, 0, 1000, 0, 0), True),
    ],
    ids=[
        "too few",
        "never well",
        "a short while each",
        "long enough in all",
        "well once, long ago",
        "well since",
        "well since, and worse again",
    ],
)
def test_it_opens_after_failures_with_too_little_between_them(
    circuit: Circuit, well_for: tuple[float, ...], is_open: bool
) -> None:
    fail(circuit, *well_for)
    assert circuit.open is is_open


def test_a_reset_begins_anew(circuit: Circuit) -> None:
    fail(circuit, 0, 0, 0)
    circuit.reset()
    assert not circuit.open
    fail(circuit, 0, 0)
    assert not circuit.open
    circuit.trip()
    circuit.reset()
    assert not circuit.open


def test_being_ready_is_not_being_well_for_a_while(circuit: Circuit) -> None:
    fail(circuit, 0, 0, 0)
    circuit.ready()
    assert circuit.open
    fail(circuit, 100)
    assert not circuit.open


def test_what_tripped_it_can_be_forgiven_and_nothing_else(circuit: Circuit) -> None:
    circuit.trip()
    assert circuit.open
    circuit.forgive()
    assert not circuit.open
    fail(circuit, 0, 0, 0)
    circuit.forgive()
    assert circuit.open
