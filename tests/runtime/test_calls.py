"""What goes over the wire, and over how many channels."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from store_plugin._proto import ess_pb2
from store_plugin.errors import NotReachable, StoreUnavailable
from store_plugin.model import OWNER_LABEL
from store_plugin.runtime import StaticStoreConfigs
from tests.client.ess_server import EssServer, serving
from tests.runtime.conftest import MakeManager, Thing, external


@pytest.fixture
def endpoint() -> str:
    return f"unix:///@store-plugin-test/{uuid4().hex}"


@pytest.fixture
def server(endpoint: str) -> Iterator[EssServer]:
    with serving(endpoint) as running:
        yield running


@pytest.fixture
def manager(make_manager: MakeManager, endpoint: str, server: EssServer) -> Any:
    return make_manager(StaticStoreConfigs([external(endpoint)]))


def test_each_operation_is_one_call(manager: Any, server: EssServer) -> None:
    owner = Thing("team-a").manifest()
    manager.publish(owner, {"k": b"v"})
    manager.unpublish(owner)
    manager.fetch(owner)
    assert server.methods() == ["ApplySecret", "DeleteKeys", "GetSecret"]


def test_a_publish_sends_all_that_the_owner_asks_for(manager: Any, server: EssServer) -> None:
    thing = Thing("team-a", "db", "uid-1")
    metadata = {"labels": {"l": "1"}, "annotations": {"a": "2"}, "type": "example.org/t"}
    manager.publish(thing.manifest(metadata=metadata), {"k": b"v"})
    request = server.received[0].request
    assert isinstance(request, ess_pb2.ApplySecretRequest)
    assert request.config.name == "files"
    assert request.secret.scoped_name == "team-a/db"
    assert dict(request.secret.data) == {"k": b"v"}
    assert dict(request.secret.metadata) == {
        "l": "1",
        "a": "2",
        "secret.crossplane.io/type": "example.org/t",
        OWNER_LABEL: "uid-1",
    }


def test_an_owner_cannot_claim_another_uid_by_its_labels(manager: Any, server: EssServer) -> None:
    metadata = {"labels": {OWNER_LABEL: "somebody-else"}, "annotations": {OWNER_LABEL: "anybody"}}
    manager.publish(Thing("team-a", "db", "uid-1").manifest(metadata=metadata), {})
    request = server.received[0].request
    assert isinstance(request, ess_pb2.ApplySecretRequest)
    assert dict(request.secret.metadata) == {OWNER_LABEL: "uid-1"}


@pytest.mark.parametrize("keys", [(), ("k",)], ids=["whole", "keys"])
def test_a_delete_sends_keys_and_owner(manager: Any, server: EssServer, keys: tuple[str, ...]) -> None:
    manager.unpublish(Thing("team-a", "db", "uid-1").manifest(), keys)
    request = server.received[0].request
    assert isinstance(request, ess_pb2.DeleteKeysRequest)
    assert sorted(request.secret.data) == list(keys)
    assert dict(request.secret.metadata) == {OWNER_LABEL: "uid-1"}


@pytest.mark.parametrize(
    ("operation", "method", "told"),
    [
        ("publish", "ApplySecret", "cannot write to secret store: sealed"),
        ("unpublish", "DeleteKeys", "cannot delete from secret store: sealed"),
        ("fetch", "GetSecret", "cannot read from secret store: sealed"),
    ],
)
def test_a_failure_keeps_its_class_and_says_what_was_done(
    manager: Any, server: EssServer, operation: str, method: str, told: str
) -> None:
    server.fail(method, StoreUnavailable("sealed", metadata={"config": "files"}, retry_after=2.0))
    arguments = [{"k": b"v"}] if operation == "publish" else []
    with pytest.raises(StoreUnavailable) as failed:
        getattr(manager, operation)(Thing("team-a").manifest(), *arguments)
    assert (str(failed.value), failed.value.message) == (told, told)
    assert (failed.value.metadata, failed.value.retry_after) == ({"config": "files"}, 2.0)


def test_a_sidecar_that_is_not_there_is_told(make_manager: MakeManager, endpoint: str) -> None:
    manager = make_manager(StaticStoreConfigs([external(endpoint)]), pool={"connect_timeout": 0.2})
    with pytest.raises(NotReachable, match="cannot read from secret store: nobody answers at"):
        manager.fetch(Thing("team-a").manifest())
