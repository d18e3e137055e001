"""Secrets of a real API server into a real OpenBao, through a real sidecar."""

import pytest

from tests.support.publisher import WORDS, Publisher, PublisherPlace

LOGIN = {"username": "admin", "password": "pw"}


def test_a_secret_that_asks_is_published(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("db", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db") == LOGIN
    status = place.status("db")
    del status["lastTransitionTime"]
    assert status == {
        "type": "Published",
        "status": "True",
        "reason": "Published",
        "storeConfig": "vault",
        "name": f"{place.namespace}/db",
    }
    assert place.finalizers("db") == []


def test_a_change_is_published_and_a_change_that_is_none_writes_nothing(
    place: PublisherPlace, publisher: Publisher
) -> None:
    place.put("db", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.change("db", {"password": "new"})
    place.eventually(lambda: place.stored("db")["password"] == "new", publisher)
    found = place.secret("db")
    assert found
    before = found["metadata"]["resourceVersion"]
    place.change("db", some_note="for people")
    place.put("after", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("after") == "Published", publisher)
    assert place.version("db") == 2
    found = place.secret("db")
    assert found
    written = [entry["manager"] for entry in found["metadata"]["managedFields"]]
    assert found["metadata"]["resourceVersion"] != before
    assert len(written) == len(set(written))


def test_a_label_asks_as_an_annotation_does(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("db", LOGIN, labels={f"{WORDS}/publish-to": "vault"})
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db") == LOGIN


def test_keys_are_chosen_and_renamed(place: PublisherPlace, publisher: Publisher) -> None:
    data = {**LOGIN, "kubeconfig": "k", "port": "1"}
    place.put("db", data, publish_to="vault", keys="*, !kubeconfig, password=db-password")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db") == {"username": "admin", "db-password": "pw", "port": "1"}


def test_the_name_follows_a_template(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("db", LOGIN, labels={"team": "blue"}, publish_to="vault", remote_name="{label:team}/{name}-x")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("blue/db-x") == LOGIN


def test_a_mirrored_secret_loses_the_keys_that_go(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("db", LOGIN, publish_to="vault", update_policy="Mirror")
    place.put("plain", LOGIN, publish_to="vault")
    for name in ("db", "plain"):
        place.eventually(lambda name=name: place.stored(name) == LOGIN, publisher)  # type: ignore[misc]
        place.change(name, {"username": None, "port": "1"})
    place.eventually(lambda: place.stored("db") == {"password": "pw", "port": "1"}, publisher)
    place.eventually(lambda: place.stored("plain") == {**LOGIN, "port": "1"}, publisher)


def test_what_is_there_is_kept_where_the_secret_says_so(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("db", {"theirs": "1"})
    place.put("db", LOGIN, publish_to="vault", update_policy="IfNotExists")
    place.put("new", LOGIN, publish_to="vault", update_policy="IfNotExists")
    place.eventually(lambda: place.reason("db") == "Kept", publisher)
    place.eventually(lambda: place.reason("new") == "Published", publisher)
    assert place.stored("db") == {"theirs": "1"}
    place.change("new", {"password": "other"})
    place.put("after", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("after") == "Published", publisher)
    assert place.stored("new") == LOGIN


def test_what_was_lost_in_the_store_is_put_there_again_where_nothing_is_to_be_written_over(
    place: PublisherPlace, publisher: Publisher
) -> None:
    """Also where somebody has written into the status that it is there."""
    said = (
        '{"type": "Published", "status": "True", "reason": "Published", '
        f'"storeConfig": "vault", "name": "{place.namespace}/db"}}'
    )
    place.put("db", LOGIN, publish_to="vault", update_policy="IfNotExists", status=said)
    place.eventually(lambda: place.stored("db") == LOGIN, publisher)


# Going.


def test_a_deleted_secret_leaves_what_was_published_and_goes_on_when_it_is_back(
    place: PublisherPlace, publisher: Publisher
) -> None:
    place.put("db", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete("db")
    assert place.secret("db") is None
    assert place.stored("db") == LOGIN
    place.put("db", {"password": "second"}, publish_to="vault")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db")["password"] == "second"


def test_a_deleted_secret_takes_what_was_published_along(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.finalizers("db") == [f"{WORDS}/publisher"]
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db") == {}


def test_a_policy_taken_back_takes_the_finalizer_off(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.change("db", deletion_policy=None)
    place.eventually(lambda: place.finalizers("db") == [], publisher)


@pytest.mark.parametrize(("policy", "left"), [("Delete", {}), ("Retain", LOGIN)], ids=["deleted", "retained"])
@pytest.mark.parametrize("change", [{"publish_to": None}, {"remote_name": "other"}], ids=["no more", "moved"])
def test_the_old_place_is_left_by_policy(
    place: PublisherPlace,
    publisher: Publisher,
    policy: str,
    left: dict[str, str],
    change: dict[str, str | None],
) -> None:
    place.put("db", LOGIN, publish_to="vault", deletion_policy=policy)
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.change("db", **change)
    settled = f"{place.namespace}/other" if "remote_name" in change else None
    place.eventually(lambda: place.status("db").get("name") == settled, publisher)
    place.eventually(lambda: "leaving" not in place.status("db"), publisher)
    assert place.stored("db") == left
    assert place.stored("other") == (LOGIN if settled else {})


@pytest.mark.parametrize("policy", ["Overwrite", "IfNotExists"])
def test_another_store_config_of_the_same_store_is_the_same_place(
    place: PublisherPlace, publisher: Publisher, policy: str
) -> None:
    other = place.store_config(f"other-{place.namespace}")
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete", update_policy=policy)
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.change("db", publish_to=other)
    place.eventually(lambda: place.status("db").get("storeConfig") == other, publisher)
    place.eventually(publisher.is_idle, publisher)
    assert (place.reason("db"), "leaving" in place.status("db")) == ("Published", False)
    assert place.stored("db") == LOGIN
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db") == {}


def test_a_place_that_two_store_configs_lead_to_keeps_what_moved_there(
    place: PublisherPlace, publisher: Publisher
) -> None:
    """Nobody but the store can know that it is one place."""
    other = place.store_config(f"other-{place.namespace}", config="anybodys")
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.change("db", publish_to=other)
    place.eventually(lambda: place.status("db").get("storeConfig") == other, publisher)
    place.eventually(lambda: "leaving" not in place.status("db"), publisher)
    place.eventually(lambda: place.stored("db") == LOGIN, publisher)


def test_an_old_place_that_turns_out_to_be_the_new_one_is_not_removed(
    place: PublisherPlace, publisher: Publisher
) -> None:
    old = place.store_config(f"old-{place.namespace}")
    place.put("db", LOGIN, publish_to=old, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete_store_config(old)
    place.change("db", publish_to="vault")
    place.eventually(lambda: place.reason("db") == "RemovalBlocked", publisher)
    place.store_config(old)
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.eventually(publisher.is_idle, publisher)
    assert "leaving" not in place.status("db")
    assert place.stored("db") == LOGIN


def test_the_old_place_stays_until_the_secret_is_in_the_new_one(
    place: PublisherPlace, publisher: Publisher
) -> None:
    place.store("theirs", {"theirs": "1"})
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.change("db", remote_name="theirs")
    place.eventually(lambda: place.reason("db") == "NotOwner", publisher)
    assert place.status("db")["name"] == f"{place.namespace}/db"
    assert place.stored("db") == LOGIN
    place.change("db", remote_name="mine")
    place.eventually(lambda: place.status("db").get("name") == f"{place.namespace}/mine", publisher)
    place.eventually(lambda: "leaving" not in place.status("db"), publisher)
    assert place.stored("db") == {}
    assert place.stored("mine") == LOGIN


def test_an_old_place_that_cannot_be_reached_is_told_and_left_later(
    place: PublisherPlace, publisher: Publisher
) -> None:
    old = place.store_config(f"old-{place.namespace}")
    place.put("db", LOGIN, publish_to=old, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete_store_config(old)
    place.change("db", publish_to="vault", remote_name="new")
    place.eventually(lambda: place.reason("db") == "RemovalBlocked", publisher)
    assert "deletion-policy: Retain" in place.status("db")["message"]
    assert place.status("db")["storeConfig"] == "vault"
    place.change("db", {"password": "meanwhile"})
    place.eventually(lambda: place.stored("new").get("password") == "meanwhile", publisher)
    assert place.stored("db") == LOGIN
    place.store_config(old)
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db") == {}


def test_a_namespace_goes_with_all_that_it_published(place: PublisherPlace, publisher: Publisher) -> None:
    """There is no namespace controller here: its part is played."""
    for name in ("a", "b", "c"):
        place.put(name, LOGIN, publish_to="vault", deletion_policy="Delete")
    for name in ("a", "b", "c"):
        place.eventually(lambda name=name: place.reason(name) == "Published", publisher)  # type: ignore[misc]
    place.cluster.api("DELETE", f"/api/v1/namespaces/{place.namespace}")
    place.cluster.api("DELETE", f"/api/v1/namespaces/{place.namespace}/secrets")
    for name in ("a", "b", "c"):
        place.eventually(lambda name=name: place.secret(name) is None, publisher)  # type: ignore[misc]
        assert place.stored(name) == {}
