"""No value is said where it is not meant to be: at debug level, in every way to fail."""

import json
from base64 import b64encode

from store_plugin.publisher.cluster.secrets import FoundSecret
from store_plugin.publisher.records import Fingerprints, Record
from store_plugin.publisher.wishes.wish import Head
from tests.support.publisher import PublisherPlace, running_publisher

VALUE = "canary-value-8811"
STORED = "canary-value-8812"


def test_no_canary_is_said(place: PublisherPlace) -> None:
    data = {"password": VALUE, "username": "admin"}
    place.store("theirs", {"password": STORED})
    refused = place.store_config(f"refused-{place.namespace}", config="nowhere")
    options = ("--log-level", "debug", "--namespaces", place.namespace)
    with running_publisher(place, *options) as publisher:
        place.put("good", data, publish_to="vault", update_policy="Mirror", deletion_policy="Delete")
        place.put("theirs", data, publish_to="vault")
        place.put("keys", data, publish_to="vault", keys="port")
        place.put("template", data, publish_to="vault", remote_name="{" + "x" + "}")
        place.put("nowhere", data, publish_to=refused)
        place.put("filled", {"old": VALUE}, fetch_from="vault", remote_name="theirs")
        # What the API server refuses has been read by it: its message could quote it.
        words = {"fetch_from": "vault", "remote_name": "theirs", "keys": "password=.dockerconfigjson"}
        kind = "kubernetes.io/dockerconfigjson"
        place.put("wrong", {".dockerconfigjson": "{}"}, kind=kind, **words)
        reasons = {
            "good": "Published",
            "theirs": "NotOwner",
            "keys": "KeyMissing",
            "template": "InvalidAnnotation",
            "nowhere": "StoreInvalid",
            "filled": "Fetched",
            "wrong": "SecretRefused",
        }
        for name, reason in reasons.items():
            place.eventually(
                lambda name=name, reason=reason: place.reason(name) == reason,  # type: ignore[misc]
                publisher,
            )
        assert place.data("filled")["password"] == STORED
        place.change("good", {"password": f"{VALUE}-2", "username": None})
        place.eventually(lambda: place.stored("good") == {"password": f"{VALUE}-2"}, publisher)
        found = [place.secret(name) for name in reasons]
        place.delete("good")
        place.eventually(lambda: place.secret("good") is None, publisher)
        pages = [publisher.http(page) for page in ("/healthz", "/readyz", "/metrics")]
        events = place.cluster.api("GET", f"/api/v1/namespaces/{place.namespace}/events")
        assert publisher.stop() == 0
        said = [one["metadata"].get("annotations") for one in found if one]
        everything = "\n".join(
            [json.dumps([said, events]), *pages, publisher.log, str(publisher.process.args)]
        )
    assert "NotOwner" in everything
    for canary in (VALUE, STORED):
        assert canary not in everything
        assert b64encode(canary.encode()).decode()[:20] not in everything


def test_a_record_and_a_found_secret_show_no_value() -> None:
    head = Head("ns", "db", {}, {}, "Opaque")
    secret = FoundSecret(head, {"password": VALUE.encode()}, "1", {"annotations": {"x": VALUE}})
    record = Record(fingerprint=Fingerprints().of("x", {"password": VALUE.encode()}))
    assert VALUE not in repr(secret)
    assert "fingerprint" not in repr(record)
