"""What a Secret asks for, with the publisher's defaults."""

from typing import Any

import pytest

from store_plugin.publisher.conditions import Refused, Target
from store_plugin.publisher.wishes.wish import (
    CONNECTION_TYPE,
    Defaults,
    DeletionPolicy,
    Direction,
    Head,
    UpdatePolicy,
    Wish,
    read_wish,
)

BY_NAMESPACE = Defaults(store_config="{namespace}", deletion_policy=DeletionPolicy.DELETE)


def asked(
    words: dict[str, str],
    *,
    labels: dict[str, str] | None = None,
    kind: str = "Opaque",
    defaults: Defaults = BY_NAMESPACE,
) -> Wish | None:
    annotations, labels = _long(words), _long(labels or {})
    return read_wish(Head("ns", "db", annotations, labels, kind), defaults)


def _long(words: dict[str, str]) -> dict[str, str]:
    return {f"secrets.crossplane.io/{word}": value for word, value in words.items()}


def test_a_wish_in_full() -> None:
    words = {
        "publish-to": "vault",
        "remote-name": "x/{name}",
        "update-policy": "Mirror",
        "deletion-policy": "Retain",
        "refresh-interval": "1h30m",
    }
    wish = asked(words)
    assert wish
    assert (wish.direction, wish.target) == (Direction.PUBLISH, Target("vault", "ns/x/db"))
    assert (wish.update_policy, wish.deletion_policy) == (UpdatePolicy.MIRROR, DeletionPolicy.RETAIN)
    assert wish.refresh_interval == 5400


TARGETS: dict[str, tuple[dict[str, Any], str | None]] = {
    "by annotation": ({"words": {"publish-to": "vault"}}, "vault"),
    "by label": ({"words": {}, "labels": {"publish-to": "vault"}}, "vault"),
    "the annotation counts": ({"words": {"publish-to": "a"}, "labels": {"publish-to": "b"}}, "a"),
    "nothing": ({"words": {}}, None),
    "by type": ({"words": {}, "kind": CONNECTION_TYPE}, "ns"),
    "by type, turned off": ({"words": {"publish-to": ""}, "kind": CONNECTION_TYPE}, None),
    "by type, no default": ({"words": {}, "kind": CONNECTION_TYPE, "defaults": Defaults()}, None),
    "fetched, of the type": ({"words": {"fetch-from": "vault"}, "kind": CONNECTION_TYPE}, "vault"),
}


@pytest.mark.parametrize(("options", "store_config"), TARGETS.values(), ids=TARGETS.keys())
def test_who_asks_for_which_store_config(options: dict[str, Any], store_config: str | None) -> None:
    wish = asked(**options)
    assert (wish.target.store_config if wish else None) == store_config


@pytest.mark.parametrize("interval", ["1s", "1000h", "9" * 400 + "h", "", "5", "1d"])
def test_an_interval_that_is_none_is_refused(interval: str) -> None:
    with pytest.raises(Refused, match="refresh-interval"):
        asked({"fetch-from": "vault", "refresh-interval": interval})


@pytest.mark.parametrize("name", ["a/b", "..", "A", "-a", "a" * 254, "a b"])
def test_what_is_no_name_of_a_store_config_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="is not the name of a StoreConfig"):
        asked({"publish-to": name})
