"""Secrets that are replaced as a whole, with what the publisher has written into them: by
`kubectl replace`, or by a controller that keeps nobody's annotations."""

import signal

import pytest

from tests.support.publisher import WORDS, Publisher, PublisherPlace, running_publisher

LOGIN = {"username": "admin", "password": "pw"}
NEW = {"username": "admin", "password": "new"}


def published(place: PublisherPlace, publisher: Publisher, **words: str) -> None:
    """As `db`, and looked at no more."""
    place.put("db", LOGIN, publish_to="vault", **words)
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.eventually(publisher.is_idle, publisher)


@pytest.mark.parametrize(("policy", "left"), [("Delete", {}), ("Retain", LOGIN)], ids=["deleted", "retained"])
def test_the_old_place_is_left_by_policy(
    place: PublisherPlace, publisher: Publisher, policy: str, left: dict[str, str]
) -> None:
    published(place, publisher, deletion_policy=policy, remote_name="old")
    place.replace("db", NEW, publish_to="vault", deletion_policy=policy, remote_name="new")
    place.eventually(lambda: place.status("db").get("name") == f"{place.namespace}/new", publisher)
    place.eventually(lambda: "leaving" not in place.status("db"), publisher)
    assert place.stored("new") == NEW
    assert place.stored("old") == left


@pytest.mark.parametrize(("policy", "left"), [("Delete", {}), ("Retain", LOGIN)], ids=["deleted", "retained"])
def test_who_asks_no_more_leaves_by_policy(
    place: PublisherPlace, publisher: Publisher, policy: str, left: dict[str, str]
) -> None:
    published(place, publisher, deletion_policy=policy)
    place.replace("db", LOGIN, deletion_policy=policy)
    place.put("after", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("after") == "Published", publisher)
    place.eventually(lambda: place.stored("db") == left, publisher)
    place.eventually(publisher.is_idle, publisher)
    assert place.stored("db") == left
    assert (place.status("db"), place.finalizers("db")) == ({}, [])


def test_a_removal_that_is_blocked_is_not_forgotten(place: PublisherPlace, publisher: Publisher) -> None:
    config = place.store_config(f"config-{place.namespace}")
    place.put("db", LOGIN, publish_to=config, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete_store_config(config)
    place.eventually(lambda: place.reason("db") == "StoreConfigMissing", publisher)
    place.replace("db", LOGIN, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "RemovalBlocked", publisher)
    place.store_config(config)
    place.eventually(lambda: place.stored("db") == {}, publisher)
    place.eventually(lambda: (place.status("db"), place.finalizers("db")) == ({}, []), publisher)


def test_what_was_published_stays_known_as_ours(place: PublisherPlace, publisher: Publisher) -> None:
    words = {"deletion_policy": "Delete", "update_policy": "IfNotExists"}
    published(place, publisher, **words)
    place.replace("db", NEW, publish_to="vault", **words)
    place.eventually(lambda: place.reason("db") != "", publisher)
    place.eventually(publisher.is_idle, publisher)
    assert place.reason("db") == "Published"
    assert place.stored("db") == LOGIN
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db") == {}


def test_a_wish_that_cannot_be_read_forgets_nothing(place: PublisherPlace, publisher: Publisher) -> None:
    published(place, publisher, deletion_policy="Delete", remote_name="old")
    place.replace("db", NEW, publish_to="vault", deletion_policy="Delete", remote_name="../new")
    place.eventually(lambda: place.reason("db") == "InvalidAnnotation", publisher)
    assert place.status("db")["name"] == f"{place.namespace}/old"
    place.change("db", remote_name="new")
    place.eventually(lambda: place.stored("new") == NEW, publisher)
    place.eventually(lambda: place.stored("old") == {}, publisher)


def test_what_was_there_already_stays(place: PublisherPlace, publisher: Publisher) -> None:
    """Also in a store that does not ask who owns a secret."""
    config = place.store_config(f"config-{place.namespace}", config="anybodys")
    place.store("db", {"theirs": "1"})
    words = {"publish_to": config, "deletion_policy": "Delete", "update_policy": "IfNotExists"}
    place.put("db", LOGIN, **words)
    place.eventually(lambda: place.reason("db") == "Kept", publisher)
    place.eventually(publisher.is_idle, publisher)
    place.replace("db", LOGIN, **words)
    place.eventually(lambda: place.reason("db") == "Kept", publisher)
    place.replace("db", LOGIN, deletion_policy="Delete")
    place.put("after", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("after") == "Published", publisher)
    place.eventually(publisher.is_idle, publisher)
    assert place.stored("db") == {"theirs": "1"}


def test_another_secret_of_that_name_takes_nothing_along(place: PublisherPlace, publisher: Publisher) -> None:
    """What the one that is gone has left by policy stays, also where both changes are seen as one."""
    config = place.store_config(f"config-{place.namespace}")
    place.put("db", LOGIN, publish_to=config, remote_name="old")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.eventually(publisher.is_idle, publisher)
    publisher.process.send_signal(signal.SIGSTOP)
    try:
        place.delete("db")
        place.put("db", NEW, publish_to=config, deletion_policy="Delete", remote_name="new")
    finally:
        publisher.process.send_signal(signal.SIGCONT)
    place.eventually(lambda: place.stored("new") == NEW, publisher)
    place.eventually(publisher.is_idle, publisher)
    assert place.stored("old") == LOGIN


def test_what_a_restarted_publisher_has_seen_is_known(place: PublisherPlace) -> None:
    options = ("--namespaces", place.namespace, "--resync-interval", "0")
    words = {"publish_to": "vault", "deletion_policy": "Delete"}
    with running_publisher(place, *options) as publisher:
        published(place, publisher, deletion_policy="Delete", remote_name="old")
    with running_publisher(place, *options) as publisher:
        place.eventually(publisher.is_idle, publisher)
        place.replace("db", NEW, **words, remote_name="new")
        place.eventually(lambda: place.stored("new") == NEW, publisher)
        place.eventually(lambda: place.stored("old") == {}, publisher)
        assert place.finalizers("db") == [f"{WORDS}/publisher"]
