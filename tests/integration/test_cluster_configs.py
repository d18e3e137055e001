"""A sidecar that takes its configs and credentials from a real cluster, under a ServiceAccount."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from store_plugin.client import Client
from store_plugin.errors import ConfigNotFound, StoreUnavailable
from tests.integration.callers import Callers
from tests.integration.place import KINDS, Place, state, synced
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess
from tests.support.waiting import eventually


@pytest.fixture
def place(installed: Cluster, bao: OpenBao, tmp_path: Path) -> Iterator[Place]:
    made = Place(installed, bao, tmp_path)
    yield made
    made.delete()


def test_a_request_makes_no_call_to_the_api_server(place: Place) -> None:
    """A sidecar lists and watches each kind once, and may begin to watch after it is ready."""
    with (
        place.cluster.recorded(place.user) as requests,
        place.sidecar() as sidecar,
        Client(sidecar.endpoint) as client,
    ):
        assert client.apply(place.reference, "team-a/db", {"k": b"v"}).changed
        for _ in range(20):
            assert client.get(place.reference, "team-a/db").data == {"k": b"v"}
    made = Counter((request.verb, request.resource) for request in requests)
    kinds = (*KINDS, "secrets")
    assert made <= Counter((verb, kind) for verb in ("list", "watch") for kind in kinds)
    assert made >= Counter(("list", kind) for kind in kinds)


def test_a_changed_config_is_in_force_and_a_deleted_one_gone(place: Place) -> None:
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        place.write(pathPrefix="elsewhere")
        eventually(lambda: state(sidecar, place.config)["generation"] == 2)
        assert not client.get(place.reference, "team-a/db").data
        place.delete()
        eventually(lambda: not state(sidecar, place.config))
        with pytest.raises(ConfigNotFound):
            client.get(place.reference, "team-a/db")


def test_a_credential_rotated_under_sixteen_callers_fails_no_call(place: Place) -> None:
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        with Callers(sidecar, place.reference, "team-a/db") as callers:
            for rotation in range(5):
                token = place.rotate()
                eventually(lambda n=rotation + 1: sidecar.log.count('"credential changed"') >= n)
                callers.more()
                assert token not in sidecar.log
        assert not callers.failures


def test_a_config_deleted_while_leased_lets_calls_under_way_finish(place: Place) -> None:
    """Sixteen callers meet the end of their config: each call is served, or told that it is gone."""
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        with Callers(sidecar, place.reference, "team-a/db") as callers:
            callers.more()
            place.delete()
            eventually(lambda: callers.failures)
        assert {type(failure) for failure in callers.failures} == {ConfigNotFound}


def test_the_last_state_serves_while_the_api_server_is_away(place: Place) -> None:
    with place.sidecar() as sidecar, Client(sidecar.endpoint) as client:
        client.apply(place.reference, "team-a/db", {"k": b"v"})
        place.cluster.crash()
        try:
            eventually(lambda: "VaultConfigs: not in sync for" in sidecar.http("/readyz"))
            assert sidecar.http("/readyz").startswith("ok: serving")
            assert "store_plugin_config_source_synced 0.0" in sidecar.http("/metrics")
            assert client.get(place.reference, "team-a/db").data == {"k": b"v"}
            with pytest.raises(StoreUnavailable, match="VaultConfigs cannot be read now"):
                client.get("VaultConfig/unknown", "team-a/db")
        finally:
            place.cluster.start()
        place.write(pathPrefix="elsewhere")
        eventually(lambda: state(sidecar, place.config)["generation"] == 2, 60)
        eventually(lambda: synced(sidecar), 60)
        with pytest.raises(ConfigNotFound):
            client.get("VaultConfig/unknown", "team-a/db")


def test_a_sidecar_waits_for_an_api_server_that_is_away_and_can_be_stopped(place: Place) -> None:
    with place.sidecar(without_api_server=True) as waiting:
        try:
            eventually(lambda: "nothing is known yet" in _page(waiting, "/readyz"))
            assert _page(waiting, "/readyz").startswith("not serving")
            waiting.process.send_signal(signal.SIGTERM)
            assert waiting.wait() == 0
        finally:
            place.cluster.start()


def _page(sidecar: SidecarProcess, path: str) -> str:
    try:
        return sidecar.http(path)
    except OSError:
        return ""
