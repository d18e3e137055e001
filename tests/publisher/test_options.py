"""What the options say: which Secrets, and with which rights. Each test has a publisher of its own."""

from tests.support.kubernetes import Cluster
from tests.support.publisher import (
    PublisherPlace,
    publisher_account,
    running_publisher,
    shipped_rules,
    started_publisher,
)

LOGIN = {"username": "admin", "password": "pw"}


def test_connection_secrets_are_published_by_default_where_that_is_set(place: PublisherPlace) -> None:
    place.store_config(place.namespace)
    options = ("--default-store-config", "{namespace}", "--namespaces", place.namespace)
    with running_publisher(place, *options) as publisher:
        place.put("db", LOGIN, kind="connection.crossplane.io/v1alpha1")
        place.put("kept", LOGIN, kind="connection.crossplane.io/v1alpha1", publish_to="")
        place.put("other", LOGIN)
        place.eventually(lambda: place.reason("db") == "Published", publisher)
        assert place.status("db")["storeConfig"] == place.namespace
        place.change("db", {"password": "new"})
        place.eventually(lambda: place.stored("db")["password"] == "new", publisher)
        place.eventually(publisher.is_idle, publisher)
        assert place.stored("kept") == place.stored("other") == {}
        assert publisher.stop() == 0


def test_without_rights_it_is_not_ready_and_says_what_to_do(place: PublisherPlace, cluster: Cluster) -> None:
    user = cluster.service_account(cluster.namespace(), "publisher")
    with started_publisher(place, "--cluster-id", "test", user=user) as publisher:
        advice = "this ServiceAccount may not list Secrets of all namespaces: add list and watch to its role"
        place.eventually(lambda: advice in publisher.log, publisher)
        assert not publisher.is_ready()
        cluster.allow(user, shipped_rules())
        place.eventually(publisher.is_ready, publisher)


def test_an_uninstalled_publisher_lets_all_secrets_go(place: PublisherPlace, cluster: Cluster) -> None:
    """Those that wait already as well; what was published stays, and what others keep is kept."""
    user = publisher_account(cluster)
    options = ("--namespaces", place.namespace, "--deletion-policy", "Delete")
    with running_publisher(place, *options, user=user) as publisher:
        for name in ("db", "waiting", "kept"):
            place.put(name, LOGIN, publish_to="vault")
        place.put("mine", LOGIN, publish_to="vault", deletion_policy="Retain")
        for name in ("db", "waiting", "kept", "mine"):
            place.eventually(lambda name=name: place.reason(name) == "Published", publisher)  # type: ignore[misc]
        assert publisher.stop() == 0
    place.delete("waiting")
    place.hold("kept", "example.org/others")
    before = place.secret("mine")
    with started_publisher(place, "--let-go", "--namespaces", place.namespace, user=user) as letting_go:
        assert letting_go.process.wait(60) == 0, letting_go.log
    assert place.secret("waiting") is None
    assert place.finalizers("db") == []
    assert place.finalizers("kept") == ["example.org/others"]
    assert place.secret("mine") == before
    place.hold("kept")
    for name in ("db", "waiting", "kept", "mine"):
        assert place.stored(name) == LOGIN


def test_a_role_in_one_namespace_is_enough(place: PublisherPlace, cluster: Cluster) -> None:
    user = cluster.service_account(cluster.namespace(), "publisher")
    rules = shipped_rules()
    inside = [rule for rule in rules if rule["resources"][0] in ("secrets", "events")]
    cluster.allow(user, inside, place.namespace)
    cluster.allow(user, [rule for rule in rules if rule["resources"] == ["storeconfigs"]])
    options = ("--namespaces", place.namespace, "--cluster-id", "test")
    with running_publisher(place, *options, user=user) as publisher:
        place.put("db", LOGIN, publish_to="vault")
        place.put("wrong", LOGIN, publish_to="vault", keys="port")
        place.eventually(lambda: place.reason("db") == "Published", publisher)
        place.eventually(lambda: place.events("wrong"), publisher)
