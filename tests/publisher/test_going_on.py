"""Restarts and outages: nothing is lost, and nothing is written that is there already. Counted
at the store, behind a proxy, and at the API server, by its audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from store_plugin.client import DEFAULT_CONNECT_TIMEOUT
from tests.support.background_proxy import background_proxy
from tests.support.proxy import Proxy
from tests.support.publisher import (
    Publisher,
    PublisherPlace,
    publisher_account,
    running_publisher,
    vault_configs,
)
from tests.support.sidecar import running_sidecar
from tests.support.waiting import eventually

LOGIN = {"username": "admin", "password": "pw"}
MANY = 40
DOWN = 30.0
"""Seconds."""
BACK = 90.0
"""Seconds in which an attempt has been made; they are 30 apart at most."""


@contextmanager
def counted(place: PublisherPlace, directory: Path) -> Iterator[tuple[PublisherPlace, Proxy, str]]:
    """The place with a sidecar of its own, the proxy between it and OpenBao, and a StoreConfig."""
    with background_proxy(place.bao.address) as proxy:
        configs = vault_configs(directory, place.bao, place.mount, proxy.address)
        with running_sidecar(configs) as sidecar:
            own = replace(place, endpoint=sidecar.endpoint, directory=directory)
            yield own, proxy, own.store_config(f"counted-{place.namespace}")


def writes(proxy: Proxy) -> int:
    """Of data and of metadata."""
    return sum(proxy.count(method, part) for method in ("POST", "PUT") for part in ("/data/", "/metadata/"))


def names(number: int = MANY) -> list[str]:
    return [f"db-{one}" for one in range(number)]


def published(place: PublisherPlace) -> bool:
    found = place.cluster.api("GET", f"/api/v1/namespaces/{place.namespace}/secrets")["items"]
    said = [one["metadata"].get("annotations", {}).get("secrets.crossplane.io/status", "") for one in found]
    return all('"Published", "status": "True"' in one for one in said)


def looked_at(publisher: Publisher) -> float:
    return publisher.figure("calls_total", operation="publish", outcome="ok")


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_restart_writes_nothing(place: PublisherPlace, tmp_path: Path, policy: str) -> None:
    user = publisher_account(place.cluster)
    with counted(place, tmp_path) as (own, proxy, config):
        options = ("--namespaces", own.namespace, "--deletion-policy", policy)
        with running_publisher(own, *options, user=user) as publisher:
            for name in names():
                own.put(name, LOGIN, publish_to=config)
            own.eventually(lambda: published(own), publisher)
            assert publisher.stop() == 0
        assert all(own.stored(name) == LOGIN for name in names())
        before = writes(proxy)
        assert before >= MANY
        with own.cluster.recorded(user) as requests, running_publisher(own, *options, user=user) as publisher:
            own.eventually(lambda: looked_at(publisher) == MANY, publisher)
            assert publisher.stop() == 0
        assert writes(proxy) == before
        assert {request.verb for request in requests} == {"get", "list", "watch"}


def test_two_publishers_at_once_do_no_harm(place: PublisherPlace, tmp_path: Path) -> None:
    """As during an update, or by mistake: nothing is written twice, lost, or left."""
    options = ("--namespaces", place.namespace, "--deletion-policy", "Delete")
    with running_publisher(place, *options) as one, running_publisher(place, *options) as other:
        for name in names():
            place.put(name, LOGIN, publish_to="vault")
        place.eventually(lambda: published(place), one)
        place.eventually(lambda: one.is_idle() and other.is_idle(), one)
        assert all(place.version(name) == 1 for name in names())
        place.change(names()[0], {"password": "new"})
        place.change(names()[1], remote_name="moved")
        place.delete(names()[2])
        place.eventually(lambda: place.stored(names()[0])["password"] == "new", one)
        place.eventually(lambda: place.stored("moved") == LOGIN, one)
        place.eventually(lambda: place.stored(names()[1]) == {}, one)
        place.eventually(lambda: place.secret(names()[2]) is None, one)
        assert place.stored(names()[2]) == {}
        place.eventually(lambda: published(place), one)
        assert place.version(names()[0]) == 2
        assert [one.stop(), other.stop()] == [0, 0]
        assert "a bug" not in one.log + other.log


def test_a_secret_that_changes_while_it_is_published_is_published_as_it_is_then(
    place: PublisherPlace, tmp_path: Path
) -> None:
    with (
        counted(place, tmp_path) as (own, proxy, config),
        running_publisher(own, "--namespaces", own.namespace) as publisher,
    ):
        proxy.delay = 1.0
        own.put("db", LOGIN, publish_to=config)
        own.eventually(lambda: writes(proxy) > 0, publisher)
        own.change("db", {"password": "meanwhile"}, keys="password")
        proxy.delay = 0.0
        own.eventually(lambda: own.stored("db").get("password") == "meanwhile", publisher)
        own.eventually(lambda: published(own), publisher)
        assert publisher.stop() == 0
        assert "a bug" not in publisher.log


def test_what_a_killed_publisher_did_not_finish_is_finished(place: PublisherPlace, tmp_path: Path) -> None:
    with counted(place, tmp_path) as (own, proxy, config):
        options = ("--namespaces", own.namespace, "--deletion-policy", "Delete", "--concurrency", "2")
        with running_publisher(own, *options) as publisher:
            proxy.delay = 0.05
            for name in names():
                own.put(name, LOGIN, publish_to=config)
            own.delete(names()[0])
            own.eventually(lambda: looked_at(publisher) > 3, publisher)
            publisher.process.kill()
            publisher.process.wait()
        proxy.delay = 0.0
        own.delete(names()[1])
        own.change(names()[2], {"password": "while nobody looked"})
        with running_publisher(own, *options) as publisher:
            own.eventually(lambda: own.secret(names()[0]) is own.secret(names()[1]) is None, publisher)
            own.eventually(lambda: published(own), publisher)
            own.eventually(lambda: own.stored(names()[2])["password"] == "while nobody looked", publisher)
        assert [own.stored(name) for name in names()[:2]] == [{}, {}]
        assert all(own.stored(name) == LOGIN for name in names()[3:])
        # What was published and not said yet is written once, and not again.
        assert all(own.version(name) == 1 for name in names()[3:])


def test_nothing_is_lost_while_the_sidecar_is_down(place: PublisherPlace, tmp_path: Path) -> None:
    """For half a minute, with all that can be asked for meanwhile."""
    configs = vault_configs(tmp_path, place.bao, place.mount)
    options = ("--namespaces", place.namespace, "--deletion-policy", "Delete")
    changed, deleted, moved = names()[:10], names()[10:13], names()[13:15]
    with running_sidecar(configs) as sidecar:
        own = replace(place, endpoint=sidecar.endpoint, directory=tmp_path)
        config = own.store_config(f"down-{place.namespace}")
        with running_publisher(own, *options) as publisher:
            for name in names():
                own.put(name, LOGIN, publish_to=config)
            own.eventually(lambda: published(own), publisher)
            sidecar.kill()
            begun = monotonic()
            for name in changed:
                own.change(name, {"password": "meanwhile"})
            for name in deleted:
                own.delete(name)
            for name in moved:
                own.change(name, remote_name=f"{name}-moved")
            own.put("new", LOGIN, publish_to=config)
            own.eventually(lambda: monotonic() > begun + DOWN, publisher)
            assert publisher.figure("calls_total", operation="publish", outcome="NotReachable") >= 1
            assert all(own.stored(name) == LOGIN for name in names())
            assert all(own.finalizers(name) for name in deleted)
            own.change(changed[0], {"password": "and again"})
            with running_sidecar(configs, listen=[sidecar.endpoint]):
                eventually(lambda: own.stored(changed[0])["password"] == "and again", BACK)
                for name in changed[1:]:
                    _is_stored(own, name, {**LOGIN, "password": "meanwhile"}, publisher)
                for name in deleted:
                    _is_stored(own, name, {}, publisher)
                    own.eventually(lambda name=name: own.secret(name) is None, publisher)  # type: ignore[misc]
                for name in moved:
                    _is_stored(own, f"{name}-moved", LOGIN, publisher)
                    _is_stored(own, name, {}, publisher)
                _is_stored(own, "new", LOGIN, publisher)
                own.eventually(lambda: published(own), publisher)
                assert all(own.version(name) == 1 for name in names()[15:])
                assert "a bug" not in publisher.log


def _is_stored(place: PublisherPlace, name: str, data: dict[str, str], publisher: Publisher) -> None:
    place.eventually(lambda: place.stored(name) == data, publisher)


def test_a_store_that_is_away_leaves_workers_to_others(place: PublisherPlace) -> None:
    """An attempt takes seconds here, and one is made at a time: with all four workers on them, there
    would be more than fit into the time."""
    reference = {"apiVersion": "secrets.crossplane.io/v1alpha1", "kind": "VaultConfig", "name": "vault"}
    nowhere = {"endpoint": "unix:///@store-plugin-test/nobody", "configRef": reference}
    config = place.store_config(f"away-{place.namespace}", external=nowhere)
    for name in names():
        place.put(name, LOGIN, publish_to=config)
    place.put("good", LOGIN, publish_to="vault")  # the last in the list
    begun = monotonic()
    with running_publisher(place, "--namespaces", place.namespace, "--concurrency", "4") as publisher:
        place.eventually(lambda: place.reason("good") == "Published", publisher)
        made = publisher.figure("calls_total", operation="publish", outcome="NotReachable")
        assert made * DEFAULT_CONNECT_TIMEOUT <= monotonic() - begun


def test_what_changed_around_an_outage_of_the_api_server_is_published(place: PublisherPlace) -> None:
    with running_publisher(place, "--namespaces", place.namespace) as publisher:
        for name in names():
            place.put(name, LOGIN, publish_to="vault", deletion_policy="Delete")
        place.cluster.crash()
        try:
            place.eventually(lambda: "watch lost" in publisher.log, publisher)
        finally:
            place.cluster.start()
        place.change(names()[0], {"password": "afterwards"})
        place.delete(names()[1])
        place.eventually(lambda: published(place), publisher)
        place.eventually(lambda: place.stored(names()[0])["password"] == "afterwards", publisher)
        place.eventually(lambda: place.secret(names()[1]) is None, publisher)
        assert place.stored(names()[1]) == {}
        assert all(place.stored(name) == LOGIN for name in names()[2:])
        assert "a bug" not in publisher.log


def test_a_lost_secret_is_published_again_when_it_is_time(place: PublisherPlace, tmp_path: Path) -> None:
    with running_publisher(place, "--namespaces", place.namespace, "--resync-interval", "1") as publisher:
        place.put("db", LOGIN, publish_to="vault")
        place.eventually(lambda: place.reason("db") == "Published", publisher)
        place.bao.api("POST", f"{place.mount}/data/{place.namespace}/db", {"data": {"password": "drifted"}})
        place.eventually(lambda: place.stored("db") == LOGIN, publisher)


def test_a_filled_secret_costs_one_read_until_it_is_time_again(place: PublisherPlace) -> None:
    place.store("db", {"password": "pw"})
    with running_publisher(place, "--namespaces", place.namespace) as publisher:
        place.put("db", {}, fetch_from="vault")
        place.eventually(lambda: place.reason("db") == "Fetched", publisher)
        place.change("db", some_note="for people")
        place.put("after", LOGIN, publish_to="vault")
        place.eventually(lambda: place.reason("after") == "Published", publisher)
        place.eventually(publisher.is_idle, publisher)
        assert publisher.figure("calls_total", operation="fetch", outcome="ok") == 1
