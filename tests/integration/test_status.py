"""Status and Events, written by one of several replicas."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.place import Place
from tests.integration.status_of import conditions, events
from tests.integration.test_roles import install
from tests.support.kubernetes import Cluster
from tests.support.openbao import OpenBao
from tests.support.waiting import eventually

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/store-plugin-status"


@pytest.fixture
def place(installed: Cluster, bao: OpenBao, tmp_path: Path) -> Iterator[Place]:
    made = Place(installed, bao, tmp_path)
    install(made, "standalone.yaml")
    yield made
    made.delete()


def options(place: Place) -> tuple[str, ...]:
    return ("--write-status", "--lease-namespace", place.namespace)


def holder(place: Place) -> str:
    return str(place.cluster.api("GET", LEASES.format(place.namespace))["spec"].get("holderIdentity", ""))


def test_conditions_say_what_is_wrong_and_that_it_is_mended(place: Place) -> None:
    with place.sidecar(*options(place)) as sidecar:
        eventually(lambda: conditions(place).get("Ready", {}).get("status") == "True")
        first = conditions(place)
        assert (first["Synced"]["status"], first["Synced"]["reason"]) == ("True", "Taken")
        assert first["Ready"]["observedGeneration"] == 1
        assert events(place) == set()
        place.write(mountPath="nowhere")
        eventually(lambda: conditions(place)["Ready"]["status"] == "False")
        wrong = conditions(place)
        assert wrong["Ready"]["observedGeneration"] == 2
        assert "nowhere" in wrong["Ready"]["message"]
        assert wrong["Synced"]["lastTransitionTime"] == first["Synced"]["lastTransitionTime"]
        place.write()
        eventually(lambda: conditions(place)["Ready"]["status"] == "True")
        eventually(lambda: events(place) == {("Warning", "StoreDenied"), ("Normal", "Checked")})
        assert "cannot be written" not in sidecar.log


def test_an_object_that_slipped_past_validation_is_not_synced(place: Place) -> None:
    with place.sidecar(*options(place)):
        eventually(lambda: conditions(place).get("Synced", {}).get("status") == "True")
        place.write(pathPrefix="../up")
        eventually(lambda: conditions(place)["Synced"]["status"] == "False")
        assert "the last good spec is in use" in conditions(place)["Synced"]["message"]
        assert conditions(place)["Ready"]["status"] == "True"


def test_one_of_several_replicas_writes_and_another_follows_it(place: Place) -> None:
    with place.sidecar(*options(place)) as first:
        eventually(lambda: '"writing of status"' in first.log)
        before = holder(place)
        with place.sidecar(*options(place)) as second:
            eventually(lambda: conditions(place).get("Ready"))
            assert (holder(place), '"writing of status"' in second.log) == (before, False)
            assert first.stop() == 0
            eventually(lambda: '"writing of status"' in second.log)
            assert holder(place) != before
            place.write(mountPath="nowhere")
            eventually(lambda: conditions(place)["Ready"]["status"] == "False")


def test_a_status_that_says_it_already_is_not_written_again(place: Place) -> None:
    with place.sidecar(*options(place)) as sidecar:
        eventually(lambda: len(conditions(place)) == 2)
        assert sidecar.stop() == 0
    before = conditions(place)
    with place.cluster.recorded(place.user) as requests, place.sidecar(*options(place)) as sidecar:
        eventually(lambda: '"writing of status"' in sidecar.log)
        marker = Place(place.cluster, place.bao, place.directory)  # looked after when its turn comes
        eventually(lambda: len(conditions(marker)) == 2)
        sidecar.stop()
        marker.delete()
    patched = {request.name for request in requests if request.verb == "patch"}
    assert place.config not in patched
    assert conditions(place) == before


def test_rights_that_are_missing_are_told_and_serving_goes_on(
    installed: Cluster, bao: OpenBao, tmp_path: Path
) -> None:
    place = Place(installed, bao, tmp_path)
    with place.sidecar(*options(place)) as sidecar:
        eventually(lambda: '"no Lease"' in sidecar.log)
        assert sidecar.http("/readyz").startswith("ok")
    place.delete()
