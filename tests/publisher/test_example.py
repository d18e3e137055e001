"""The manifests of the example do what they say."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.publisher import WORDS, Publisher, PublisherPlace

EXAMPLE = Path(__file__).parents[2] / "examples" / "publisher"


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLE / name).read_text())
    return found


def test_a_login_goes_to_the_store_and_into_another_secret(
    place: PublisherPlace, publisher: Publisher
) -> None:
    config = example("store-config.yaml")
    config["metadata"]["name"] = name = f"example-{place.namespace}"
    config["metadata"]["annotations"] = {f"{WORDS}/allowed-namespaces": "default, ns-*"}
    config["spec"]["external"]["endpoint"] = place.endpoint
    place.cluster.apply(config)
    place.made.add(name)
    for file, word in (("published.yaml", "publish-to"), ("fetched.yaml", "fetch-from")):
        secret = example(file)
        secret["metadata"]["namespace"] = place.namespace
        secret["metadata"]["annotations"][f"{WORDS}/{word}"] = name
        place.cluster.apply(secret)
        place.eventually(
            lambda one=secret: place.status(one["metadata"]["name"]).get("status") == "True",  # type: ignore[misc]
            publisher,
        )
    assert place.stored("orders/login") == {"username": "orders", "password": "change-me"}
    assert place.data("orders-environment") == {"PGPASSWORD": "change-me"}
    place.delete("orders-login")
    place.eventually(lambda: place.secret("orders-login") is None, publisher)
    assert place.stored("orders/login") == {}


def test_the_example_is_for_the_namespaces_that_it_names() -> None:
    annotations = example("store-config.yaml")["metadata"]["annotations"]
    assert annotations == {f"{WORDS}/allowed-namespaces": "default, team-*"}
