"""Publishing and unpublishing, by threads and by asyncio, over a sidecar and in the cluster."""

from typing import Any

import pytest

from store_plugin.errors import ConfigNotFound, InvalidRequest, NotOwner
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime import NoStoreConfigs, StaticStoreConfigs
from tests.runtime.conftest import MakeManager, Place, Thing

DETAILS = {"username": b"admin", "password": b"\x00\xff not text"}


@pytest.fixture
def thing(place: Place) -> Thing:
    return Thing(place.namespace)


def name_of(thing: Thing) -> str:
    return f"{thing.namespace}/{thing.name}"


def test_published_details_carry_their_owner(place: Place, manager: Any, thing: Thing) -> None:
    assert manager.publish(thing.manifest(), DETAILS) is True
    kept = place.look(name_of(thing))
    assert kept.data == DETAILS
    assert kept.metadata[OWNER_LABEL] == thing.uid


def test_the_same_again_changes_nothing(manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(), DETAILS)
    assert manager.publish(thing.manifest(), DETAILS) is False


def test_a_change_is_merged(place: Place, manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(), DETAILS)
    assert manager.publish(thing.manifest(), {"password": b"new", "port": b""}) is True
    assert place.look(name_of(thing)).data == {"username": b"admin", "password": b"new", "port": b""}


def test_an_owner_that_publishes_nothing_is_left_alone(make_manager: MakeManager, place: Place) -> None:
    manager = make_manager(NoStoreConfigs())
    silent = {"metadata": {"name": "x"}, "spec": {}}
    assert manager.publish(silent, DETAILS) is False
    assert manager.unpublish(silent, DETAILS) is None
    assert manager.fetch(silent) is None
    assert manager.propagate(silent, Thing("a").manifest()) is False
    assert manager.propagate(Thing("a").manifest(), silent) is False


def test_labels_annotations_and_type_go_along(place: Place, manager: Any, thing: Thing) -> None:
    metadata = {"labels": {"team": "a"}, "annotations": {"note": "of team a"}}
    manager.publish(thing.manifest(metadata=metadata), DETAILS)
    kept = place.look(name_of(thing)).metadata
    assert (kept["team"], kept["note"]) == ("a", "of team a")
    assert kept.get("type", "connection.crossplane.io/v1alpha1") == "connection.crossplane.io/v1alpha1"


def test_new_labels_count_as_a_change(place: Place, manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(), DETAILS)
    assert manager.publish(thing.manifest(metadata={"labels": {"team": "a"}}), DETAILS) is True
    assert manager.publish(thing.manifest(metadata={"labels": {"team": "a"}}), DETAILS) is False


@pytest.mark.parametrize("holder", ["somebody-else", None], ids=["of another owner", "of nobody"])
def test_a_secret_of_others_is_neither_written_nor_deleted(
    place: Place, manager: Any, thing: Thing, holder: str | None
) -> None:
    place.put(name_of(thing), {"theirs": b"1"}, holder)
    with pytest.raises(NotOwner, match=r"^cannot write to secret store: existing secret ") as refused:
        manager.publish(thing.manifest(), DETAILS)
    assert f'is not owned by UID "{thing.uid}"' in refused.value.message
    for keys in ((), ("theirs",)):
        with pytest.raises(NotOwner, match=r"^cannot delete from secret store: existing secret "):
            manager.unpublish(thing.manifest(), keys)
    assert place.look(name_of(thing)).data == {"theirs": b"1"}


def test_the_owners_manifest_stays_as_it_was(manager: Any, thing: Thing) -> None:
    manifest = thing.manifest(metadata={"labels": {"team": "a"}})
    manager.publish(manifest, DETAILS)
    assert manifest == thing.manifest(metadata={"labels": {"team": "a"}})


def test_unpublishing_removes_the_keys_and_at_last_the_secret(
    place: Place, manager: Any, thing: Thing
) -> None:
    manager.publish(thing.manifest(), DETAILS)
    manager.unpublish(thing.manifest(), {"username": b"as observed"})
    assert place.look(name_of(thing)).data == {"password": DETAILS["password"]}
    manager.unpublish(thing.manifest(), ["password", "never-there"])
    assert OWNER_LABEL not in place.look(name_of(thing)).metadata


def test_unpublishing_without_keys_removes_the_secret(place: Place, manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(), DETAILS)
    manager.unpublish(thing.manifest())
    assert OWNER_LABEL not in place.look(name_of(thing)).metadata


@pytest.mark.parametrize("keys", [(), ("username",)], ids=["none", "one"])
def test_keys_may_come_from_a_generator(
    place: Place, manager: Any, thing: Thing, keys: tuple[str, ...]
) -> None:
    """It is true even where it yields nothing, and gives its keys only once."""
    manager.publish(thing.manifest(), DETAILS)
    manager.unpublish(thing.manifest(), (key for key in keys))
    assert place.look(name_of(thing)).data == ({"password": DETAILS["password"]} if keys else {})


def test_unpublishing_what_is_not_there_is_no_error(manager: Any, thing: Thing) -> None:
    manager.unpublish(thing.manifest())
    manager.unpublish(thing.manifest(), ["password"])


def test_an_owner_without_a_namespace_publishes_into_the_default_scope(
    behind_sidecar: Place, make_manager: MakeManager
) -> None:
    place, thing = behind_sidecar, Thing(None)
    make_manager(StaticStoreConfigs([place.store_config])).publish(thing.manifest(), DETAILS)
    assert place.look(f"crossplane-system/{thing.name}").data == DETAILS


@pytest.mark.parametrize("name", ["../team-b/db", "..", "a/../b", "/db", "db/", "a%2fb", ""])
def test_a_name_never_leaves_its_scope(manager: Any, thing: Thing, name: str) -> None:
    for call in (lambda of: manager.publish(of, DETAILS), manager.unpublish, manager.fetch):
        with pytest.raises(InvalidRequest):
            call(thing.manifest(name=name))


@pytest.mark.parametrize(
    "reference", [{}, {"configRef": None}, {"configRef": {}}, {"configRef": {"name": "default"}}], ids=str
)
def test_without_a_reference_it_is_the_default_store_config(
    manager: Any, thing: Thing, reference: dict[str, Any]
) -> None:
    assert manager.publish(thing.manifest(**reference), DETAILS) is True


@pytest.mark.parametrize("operation", ["publish", "unpublish", "fetch"])
def test_a_store_config_that_is_not_there_is_told(manager: Any, thing: Thing, operation: str) -> None:
    arguments = [DETAILS] if operation == "publish" else []
    told = r'^cannot connect to secret store: cannot get store config: there is no StoreConfig "gone"$'
    with pytest.raises(ConfigNotFound, match=told):
        getattr(manager, operation)(thing.manifest(configRef={"name": "gone"}), *arguments)


def test_values_that_are_no_bytes_are_refused_without_showing_them(manager: Any, thing: Thing) -> None:
    with pytest.raises(InvalidRequest, match="the value of password is str") as refused:
        manager.publish(thing.manifest(), {"password": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_a_string_is_no_list_of_keys(manager: Any, thing: Thing) -> None:
    manager.publish(thing.manifest(), DETAILS)
    with pytest.raises(InvalidRequest, match="not a string"):
        manager.unpublish(thing.manifest(), "password")


def test_a_label_and_an_annotation_may_not_contradict_outside(
    behind_sidecar: Place, make_manager: MakeManager
) -> None:
    manager = make_manager(StaticStoreConfigs([behind_sidecar.store_config]))
    metadata = {"labels": {"team": "a"}, "annotations": {"team": "b"}}
    with pytest.raises(InvalidRequest, match="team"):
        manager.publish(Thing("team-a").manifest(metadata=metadata), DETAILS)
