"""Fetching, and propagating from one owner to another."""

from typing import Any

import pytest

from store_plugin.errors import ConfigNotFound, InvalidRequest, NotOwner
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime import StaticStoreConfigs
from tests.runtime.conftest import MakeManager, Place, Thing

DETAILS = {"username": b"admin", "password": b"\x00\xff not text"}


@pytest.fixture
def source(place: Place) -> Thing:
    return Thing(place.namespace)


@pytest.fixture
def target(place: Place) -> Thing:
    return Thing(place.namespace)


def name_of(thing: Thing) -> str:
    return f"{thing.namespace}/{thing.name}"


def test_what_was_published_is_fetched(manager: Any, source: Thing) -> None:
    manager.publish(source.manifest(), DETAILS)
    assert manager.fetch(source.manifest()) == DETAILS


def test_what_is_not_there_is_empty(manager: Any, source: Thing) -> None:
    assert manager.fetch(source.manifest()) == {}


def test_whoever_wrote_it_may_be_read(place: Place, manager: Any, source: Thing) -> None:
    place.put(name_of(source), {"theirs": b"1"}, "somebody-else")
    assert manager.fetch(source.manifest()) == {"theirs": b"1"}


def test_propagated_details_belong_to_the_target(
    place: Place, manager: Any, source: Thing, target: Thing
) -> None:
    manager.publish(source.manifest(), DETAILS)
    assert manager.propagate(target.manifest(), source.manifest()) is True
    kept = place.look(name_of(target))
    assert kept.data == DETAILS
    assert kept.metadata[OWNER_LABEL] == target.uid
    assert manager.propagate(target.manifest(), source.manifest()) is False


def test_a_change_is_propagated(place: Place, manager: Any, source: Thing, target: Thing) -> None:
    for password in (b"old", b"new"):
        manager.publish(source.manifest(), {"password": password})
        assert manager.propagate(target.manifest(), source.manifest()) is True
    assert place.look(name_of(target)).data == {"password": b"new"}


@pytest.mark.parametrize("holder", ["somebody-else", None, "absent"], ids=["another's", "nobody's", "absent"])
def test_only_the_sources_own_secret_is_propagated(
    place: Place, manager: Any, source: Thing, target: Thing, holder: str | None
) -> None:
    if holder != "absent":
        place.put(name_of(source), DETAILS, holder)
    with pytest.raises(NotOwner, match=r"^cannot establish control of existing connection secret"):
        manager.propagate(target.manifest(), source.manifest())
    assert place.look(name_of(target)).data == {}


@pytest.mark.parametrize("holder", ["somebody-else", None], ids=["another's", "nobody's"])
def test_the_target_must_own_what_it_overwrites(
    place: Place, manager: Any, source: Thing, target: Thing, holder: str | None
) -> None:
    manager.publish(source.manifest(), DETAILS)
    place.put(name_of(target), {"theirs": b"1"}, holder)
    with pytest.raises(NotOwner, match=f'cannot write.* is not owned by UID "{target.uid}"'):
        manager.propagate(target.manifest(), source.manifest())
    assert place.look(name_of(target)).data == {"theirs": b"1"}


@pytest.mark.parametrize("lost", ["source", "target"])
def test_both_store_configs_must_be_there(manager: Any, source: Thing, target: Thing, lost: str) -> None:
    manager.publish(source.manifest(), DETAILS)
    gone = {"configRef": {"name": "gone"}}
    to = target.manifest(**(gone if lost == "target" else {}))
    origin = source.manifest(**(gone if lost == "source" else {}))
    with pytest.raises(ConfigNotFound, match=r'^cannot connect to secret store: .*"gone"'):
        manager.propagate(to, origin)


def test_details_travel_between_stores(
    behind_sidecar: Place, in_cluster: Place, make_manager: MakeManager
) -> None:
    inside = in_cluster.store_config.model_copy(update={"name": "inside"})
    configs = StaticStoreConfigs([behind_sidecar.store_config, inside])
    manager = make_manager(configs, in_cluster.cluster)
    source, target = Thing("team-a"), Thing(in_cluster.namespace)
    manager.publish(source.manifest(), DETAILS)
    assert manager.propagate(target.manifest(configRef={"name": "inside"}), source.manifest()) is True
    assert in_cluster.look(name_of(target)).data == DETAILS


def test_an_owner_that_does_not_exist_yet_is_refused(manager: Any, source: Thing) -> None:
    manifest = source.manifest()
    del manifest["metadata"]["uid"]
    with pytest.raises(InvalidRequest, match="uid"):
        manager.fetch(manifest)
