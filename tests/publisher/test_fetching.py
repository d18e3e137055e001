"""Secrets that are filled from the store."""

from tests.support.publisher import Publisher, PublisherPlace


def test_a_secret_is_filled_and_refreshed(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("db", {"password": "one"})
    place.put("db", {"mine": "stays"}, fetch_from="vault", refresh_interval="10s")
    place.eventually(lambda: place.reason("db") == "Fetched", publisher)
    assert place.data("db") == {"mine": "stays", "password": "one"}
    place.store("db", {"password": "two"})
    place.eventually(lambda: place.data("db")["password"] == "two", publisher)
    assert place.reason("db") == "Fetched"


def test_keys_are_chosen_and_renamed_on_the_way_in(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("shared/db", {"password": "pw", "other": "x"})
    place.put("db", {}, fetch_from="vault", remote_name="shared/db", keys="password=PGPASSWORD")
    place.eventually(lambda: place.reason("db") == "Fetched", publisher)
    assert place.data("db") == {"PGPASSWORD": "pw"}


def test_a_mirror_of_the_store_loses_what_is_not_there(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("db", {"password": "pw"})
    place.put("db", {"old": "x"}, fetch_from="vault", update_policy="Mirror")
    place.eventually(lambda: place.reason("db") == "Fetched", publisher)
    assert place.data("db") == {"password": "pw"}


def test_what_is_here_is_kept_where_the_secret_says_so(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("db", {"password": "theirs", "port": "1"})
    place.put("db", {"password": "mine"}, fetch_from="vault", update_policy="IfNotExists")
    place.eventually(lambda: place.reason("db") == "Fetched", publisher)
    assert place.data("db") == {"password": "mine", "port": "1"}


def test_a_secret_that_waits_for_its_source_is_filled_when_there_is_one(
    place: PublisherPlace, publisher: Publisher
) -> None:
    place.put("db", {"mine": "stays"}, fetch_from="vault", refresh_interval="10s")
    place.eventually(lambda: place.reason("db") == "NothingToFetch", publisher)
    assert place.data("db") == {"mine": "stays"}
    place.store("db", {"password": "pw"})
    place.eventually(lambda: place.reason("db") == "Fetched", publisher)


def test_a_secret_that_was_published_before_gives_up_its_name(
    place: PublisherPlace, publisher: Publisher
) -> None:
    place.put("db", {"k": "mine"}, publish_to="vault", remote_name="shared")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    place.put("other", {"k": "v"}, publish_to="vault", remote_name="shared")
    place.eventually(lambda: place.reason("other") == "NameTaken", publisher)
    place.change("db", publish_to=None, fetch_from="vault", remote_name="shared")
    place.eventually(lambda: place.reason("other") not in ("", "NameTaken"), publisher)


def test_a_secret_that_is_filled_now_leaves_what_it_published_and_keeps_nobody(
    place: PublisherPlace, publisher: Publisher
) -> None:
    place.put("db", {"k": "mine"}, publish_to="vault", deletion_policy="Delete")
    place.eventually(lambda: place.reason("db") == "Published", publisher)
    assert place.finalizers("db")
    place.change("db", publish_to=None, fetch_from="vault")
    place.eventually(lambda: place.reason("db") == "Fetched", publisher)
    assert place.finalizers("db") == []
    place.delete("db")
    assert place.secret("db") is None
    assert place.stored("db") == {"k": "mine"}


def test_an_immutable_secret_is_told_about(place: PublisherPlace, publisher: Publisher) -> None:
    place.store("db", {"password": "pw"})
    place.put("db", {}, fetch_from="vault", refresh_interval="1h", remote_name="none-yet")
    place.cluster.api(
        "PATCH",
        f"/api/v1/namespaces/{place.namespace}/secrets/db",
        {"immutable": True},
        content_type="application/merge-patch+json",
    )
    place.change("db", remote_name="db")
    place.eventually(lambda: place.reason("db") == "SecretRefused", publisher)
    assert place.data("db") == {}
