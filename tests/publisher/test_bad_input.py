"""What is wrong is told by a condition and an Event, says what to do, and loses nothing."""

from typing import Any

import pytest

from tests.support.publisher import WORDS, Publisher, PublisherPlace

LOGIN = {"username": "admin", "password": "pw"}

MISTAKES: dict[str, tuple[dict[str, str], str, str]] = {
    "store config of no name": ({"publish_to": "Not A Name"}, "InvalidAnnotation", "publish-to"),
    "both directions": ({"fetch_from": "vault"}, "InvalidAnnotation", "take one of them away"),
    "code in the template": ({"remote_name": "{name.upper()}"}, "InvalidAnnotation", "{label:KEY}"),
    "a climbing template": ({"remote_name": "../other/db"}, "InvalidAnnotation", "'..' is not allowed"),
    "a template without its label": ({"remote_name": "{label:team}"}, "InvalidAnnotation", "add the label"),
    "keys that cannot be read": ({"keys": "a b"}, "InvalidAnnotation", "none of KEY, KEY=NEW"),
    "a key that is not there": ({"keys": "port"}, "KeyMissing", "there is no key 'port'"),
    "a policy of no name": ({"update_policy": "Sometimes"}, "InvalidAnnotation", "Overwrite, IfNotExists"),
    "a deletion of no name": ({"deletion_policy": "Perhaps"}, "InvalidAnnotation", "one of Retain, Delete"),
    "an interval too short": ({"refresh_interval": "1s"}, "InvalidAnnotation", "10s at least"),
    "an interval of no unit": ({"refresh_interval": "soon"}, "InvalidAnnotation", "like 250ms"),
    "no such store config": ({"publish_to": "nowhere"}, "StoreConfigMissing", "create it"),
}


@pytest.mark.parametrize(("words", "reason", "advice"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_and_mended(
    place: PublisherPlace, publisher: Publisher, words: dict[str, str], reason: str, advice: str
) -> None:
    place.put("db", LOGIN, **{"publish_to": "vault", **words})
    place.eventually(lambda: place.reason("db") == reason, publisher)
    assert place.status("db")["status"] == "False"
    assert advice in place.status("db")["message"]
    place.eventually(lambda: place.events("db"), publisher)
    (event,) = place.events("db")
    assert (event["type"], event["reason"]) == ("Warning", reason)
    assert advice in event["message"]
    place.change("db", **{**dict.fromkeys(words), "publish_to": "vault"})
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db") == LOGIN
    place.eventually(lambda: any(one["type"] == "Normal" for one in place.events("db")), publisher)


def test_a_name_that_the_store_refuses(place: PublisherPlace, publisher: Publisher) -> None:
    reference = {"apiVersion": f"{WORDS}/v1alpha1", "kind": "AWSConfig", "name": "parameters"}
    narrow = {"endpoint": place.endpoint, "configRef": reference}
    config = place.store_config(f"config-{place.namespace}", external=narrow)
    place.put("db", LOGIN, publish_to=config, remote_name="me@home", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "NameRefused", publisher)
    for part in ("me@home", f"set the annotation {WORDS}/remote-name"):
        assert part in place.status("db")["message"]
    place.eventually(lambda: place.events("db"), publisher)
    assert [one["reason"] for one in place.events("db")] == ["NameRefused"]
    place.change("db", publish_to="vault")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("me@home") == LOGIN


def test_a_secret_whose_name_was_refused_goes_at_once(place: PublisherPlace, publisher: Publisher) -> None:
    reference = {"apiVersion": f"{WORDS}/v1alpha1", "kind": "AWSConfig", "name": "parameters"}
    narrow = {"endpoint": place.endpoint, "configRef": reference}
    config = place.store_config(f"config-{place.namespace}", external=narrow)
    place.put("db", LOGIN, publish_to=config, remote_name="me@home", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "NameRefused", publisher)
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)


def test_two_secrets_of_one_name(place: PublisherPlace, publisher: Publisher) -> None:
    place.put("first", LOGIN, publish_to="vault", remote_name="db")
    place.eventually(lambda: place.reason("first") == "Published", publisher)
    place.put("second", {"k": "v"}, publish_to="vault", remote_name="db")
    place.eventually(lambda: place.reason("second") == "NameTaken", publisher)
    assert f"{place.namespace}/first" in place.status("second")["message"]
    assert place.stored("db") == LOGIN
    place.change("first", remote_name="elsewhere")
    place.eventually(lambda: place.reason("first") == "Published", publisher)
    place.eventually(lambda: place.stored("elsewhere") == LOGIN, publisher)
    # The place that it left is still its own in the store: nothing of it is lost.
    place.eventually(lambda: place.reason("second") == "NotOwner", publisher)
    assert place.stored("db") == LOGIN


def test_two_secrets_of_one_name_by_two_store_configs(place: PublisherPlace, publisher: Publisher) -> None:
    """They lead to one store, which does not ask who owns a secret: nobody else would notice."""
    one, other = (place.store_config(f"{name}-{place.namespace}", config="anybodys") for name in ("a", "b"))
    place.put("first", LOGIN, publish_to=one, remote_name="db")
    place.eventually(lambda: place.reason("first") == "Published", publisher)
    place.put("second", {"k": "v"}, publish_to=other, remote_name="db", deletion_policy="Delete")
    place.eventually(lambda: place.reason("second") == "NameTaken", publisher)
    for part in (f"{place.namespace}/first", one):
        assert part in place.status("second")["message"]
    place.eventually(lambda: place.events("second"), publisher)
    assert [event["reason"] for event in place.events("second")] == ["NameTaken"]
    place.delete("second")
    place.eventually(lambda: place.secret("second") is None, publisher)
    assert place.stored("db") == LOGIN


def test_a_name_that_is_given_up_goes_to_who_waits_by_another_store_config(
    place: PublisherPlace, publisher: Publisher
) -> None:
    words = {"remote_name": "db", "deletion_policy": "Delete"}
    other = place.store_config(f"other-{place.namespace}")
    place.put("first", LOGIN, publish_to="vault", **words)
    place.eventually(lambda: place.reason("first") == "Published", publisher)
    place.put("second", {"k": "v"}, publish_to=other, **words)
    place.eventually(lambda: place.reason("second") == "NameTaken", publisher)
    place.delete("first")
    place.eventually(lambda: place.reason("second") == "Published", publisher)
    assert place.stored("db") == {"k": "v"}


def test_a_name_that_is_given_up_goes_to_who_waits(place: PublisherPlace, publisher: Publisher) -> None:
    words = {"publish_to": "vault", "remote_name": "db", "deletion_policy": "Delete"}
    place.put("first", LOGIN, **words)
    place.eventually(lambda: place.reason("first") == "Published", publisher)
    place.put("second", {"k": "v"}, **words)
    place.eventually(lambda: place.reason("second") == "NameTaken", publisher)
    place.delete("first")
    place.eventually(lambda: place.reason("second") == "Published", publisher)
    assert place.stored("db") == {"k": "v"}


def test_a_secret_of_somebody_else_stays_theirs(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("db", {"theirs": "1"})
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "NotOwner", publisher)
    assert "remote-name" in place.status("db")["message"]
    assert place.stored("db") == {"theirs": "1"}
    place.change("db", remote_name="mine")
    place.eventually(lambda: place.stored("mine") == LOGIN, publisher)
    assert place.stored("db") == {"theirs": "1"}


@pytest.mark.parametrize("policy", ["Overwrite", "IfNotExists"])
def test_a_secret_that_never_was_published_goes_at_once(
    place: PublisherPlace, publisher: Publisher, policy: str
) -> None:
    place.store("db", {"theirs": "1"})
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete", update_policy=policy)
    place.eventually(lambda: place.reason("db") in ("NotOwner", "Kept"), publisher)
    assert place.finalizers("db")
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db") == {"theirs": "1"}


def test_what_was_there_already_stays_when_the_secret_goes(
    place: PublisherPlace, publisher: Publisher
) -> None:
    """Also in a store that does not ask who owns a secret."""
    config = place.store_config(f"config-{place.namespace}", config="anybodys")
    place.store("db", {"theirs": "1"})
    place.put("db", LOGIN, publish_to=config, deletion_policy="Delete", update_policy="IfNotExists")
    place.eventually(lambda: place.reason("db") == "Kept", publisher)
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db") == {"theirs": "1"}


@pytest.mark.parametrize("name", ["", "../other"], ids=["nothing", "climbing"])
def test_a_status_that_names_no_place_keeps_nobody(
    place: PublisherPlace, publisher: Publisher, name: str
) -> None:
    lie = (
        '{"type": "Published", "status": "True", "reason": "Published", '
        f'"storeConfig": "vault", "name": "{place.namespace}/{name}"}}'
    )
    place.put("db", LOGIN, publish_to="vault", deletion_policy="Delete", status=lie)
    place.eventually(lambda: place.stored("db") == LOGIN, publisher)
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)


def test_a_store_config_deleted_under_its_secrets(place: PublisherPlace, publisher: Publisher) -> None:
    config = place.store_config(f"config-{place.namespace}")
    place.put("db", LOGIN, publish_to=config, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete_store_config(config)
    place.eventually(lambda: place.reason("db") == "StoreConfigMissing", publisher)
    assert "What was published stays" in place.status("db")["message"]
    assert place.stored("db") == LOGIN
    place.change("db", {"password": "while it was away"})
    place.store_config(config)
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.stored("db")["password"] == "while it was away"
    place.delete_store_config(config)
    place.eventually(lambda: place.reason("db") == "StoreConfigMissing", publisher)

    place.delete("db")
    place.eventually(lambda: place.reason("db") == "RemovalBlocked", publisher)
    assert "deletion-policy: Retain" in place.status("db")["message"]
    place.eventually(lambda: "RemovalBlocked" in [one["reason"] for one in place.events("db")], publisher)
    place.change("db", deletion_policy="Retain")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db")["password"] == "while it was away"


def test_a_blocked_removal_goes_on_when_the_store_config_is_back(
    place: PublisherPlace, publisher: Publisher
) -> None:
    config = place.store_config(f"config-{place.namespace}")
    place.put("db", LOGIN, publish_to=config, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete_store_config(config)
    place.delete("db")
    place.eventually(lambda: place.reason("db") == "RemovalBlocked", publisher)
    place.store_config(config)
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db") == {}


def test_a_namespace_that_cannot_go_says_why(place: PublisherPlace, publisher: Publisher) -> None:
    """No Event can be made in it: there is one about the namespace."""

    def told() -> list[Any]:
        return place.events(place.namespace, "default")

    config = place.store_config(f"config-{place.namespace}")
    place.put("db", LOGIN, publish_to=config, deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.delete_store_config(config)
    place.eventually(lambda: place.reason("db") == "StoreConfigMissing", publisher)
    place.cluster.api("DELETE", f"/api/v1/namespaces/{place.namespace}")
    place.delete("db")
    # The event before, that the config is gone, may have been told as late as this too.
    place.eventually(
        lambda: any("deletion-policy: Retain" in event["message"] for event in told()), publisher
    )
    for event in told():
        assert event["involvedObject"]["kind"] == "Namespace"
        assert f"Secret {place.namespace}/db" in event["message"]
    place.change("db", deletion_policy="Retain")
    place.eventually(lambda: place.secret("db") is None, publisher)


BAD_CONFIGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "not for this namespace": (
        {"annotations": {f"{WORDS}/allowed-namespaces": "team-a, team-b-*"}},
        "StoreConfigNotAllowed",
        "allowed-namespaces",
    ),
    "a store not for this namespace": ({"config": "tenants"}, "AccessDenied", "add this namespace to"),
    "a store that is not there": ({"config": "nowhere"}, "StoreInvalid", "create the config"),
    "of type Kubernetes": ({"type": "Kubernetes", "external": None}, "StoreConfigInvalid", "use External"),
    "no sidecar": (
        {
            "external": {
                "endpoint": "unix:///@store-plugin-test/nobody",
                "configRef": {"apiVersion": f"{WORDS}/v1alpha1", "kind": "VaultConfig", "name": "vault"},
            }
        },
        "NotReachable",
        "is the sidecar of this StoreConfig's endpoint running?",
    ),
}


@pytest.mark.parametrize(("spec", "reason", "advice"), BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
def test_a_store_config_that_does_not_do(
    place: PublisherPlace, publisher: Publisher, spec: dict[str, Any], reason: str, advice: str
) -> None:
    config = place.store_config(f"config-{place.namespace}", **spec)
    place.put("db", LOGIN, publish_to=config)
    place.eventually(lambda: place.reason("db") == reason, publisher)
    assert advice in place.status("db")["message"]
    place.store_config(config)
    place.eventually(lambda: place.reason("db") == "Published", publisher)


def test_a_controller_that_undoes_what_is_said_is_not_fought_with(
    place: PublisherPlace, publisher: Publisher
) -> None:
    """Each write of one is news to the other: without a bound they would go on for ever."""
    place.put("db", LOGIN, publish_to="vault")

    def undone() -> bool:
        if place.reason("db"):
            place.change("db", status=None)
        return f"Secret {place.namespace}/db is changed by somebody else again" in publisher.log

    place.eventually(undone, publisher)
    place.put("other", LOGIN, publish_to="vault")
    place.eventually(lambda: place.reason("other") == "Published", publisher)
    place.eventually(lambda: place.reason("db") == "Published", publisher)


def test_no_tenant_reaches_another_ones_secrets_by_what_was_said(
    place: PublisherPlace, publisher: Publisher
) -> None:
    """The condition is an annotation, which a tenant can write: a lie in it removes nothing."""
    victim = place.cluster.namespace()
    place.put("db", LOGIN, publish_to="vault", namespace=victim)
    place.eventually(lambda: place.stored("db", victim) == LOGIN, publisher)
    lie = (
        '{"type": "Published", "status": "True", "reason": "Published", '
        f'"storeConfig": "vault", "name": "{victim}/db"}}'
    )
    place.put("db", {"k": "v"}, publish_to="vault", deletion_policy="Delete", status=lie)
    place.eventually(lambda: place.stored("db") == {"k": "v"}, publisher)
    place.delete("db")
    place.eventually(lambda: place.secret("db") is None, publisher)
    assert place.stored("db", victim) == LOGIN
