"""What was released goes on working: old clients at this sidecar, this client at old servers, and
no field of any message is gone or means something else. docs/upgrade.md says so."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

from store_plugin import __version__
from store_plugin._proto import ess_pb2
from store_plugin.client import Client
from store_plugin.endpoints import Endpoint
from store_plugin.wire import SERVICES
from tests.support import manifests
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.wire.releases import FILES, OldClient, descriptors, old_server
from tools import released

releases = pytest.mark.parametrize("release", FILES)


def declared(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Everything that a peer may rely on, as a name and what it is."""
    for message in file.message_type:
        yield from _of_message(f"{file.package}.{message.name}", message)
    for enum in file.enum_type:
        yield from _of_enum(f"{file.package}.{enum.name}", enum)
    for service in file.service:
        for method in service.method:
            streams = f"{method.client_streaming} {method.server_streaming}"
            what = f"{method.input_type} to {method.output_type}, {streams}"
            yield f"{file.package}.{service.name}/{method.name}", what


def _of_message(name: str, message: DescriptorProto) -> Iterator[tuple[str, str]]:
    yield name, "message"
    for field in message.field:
        yield f"{name}#{field.number}", f"{field.name} {field.type} {field.label} {field.type_name}"
    for nested in message.nested_type:
        yield from _of_message(f"{name}.{nested.name}", nested)
    for enum in message.enum_type:
        yield from _of_enum(f"{name}.{enum.name}", enum)


def _of_enum(name: str, enum: EnumDescriptorProto) -> Iterator[tuple[str, str]]:
    yield from ((f"{name}={value.number}", value.name) for value in enum.value)


@pytest.fixture(scope="module")
def today() -> dict[str, str]:
    return dict(thing for file in released.descriptors().file for thing in declared(file))


@releases
def test_nothing_that_was_released_is_gone_or_changed(release: str, today: dict[str, str]) -> None:
    then = dict(thing for file in descriptors(release).file for thing in declared(file))
    assert then.items() <= today.items()
    assert len(then) > 20


def test_this_version_is_among_the_releases() -> None:
    assert __version__ in FILES, "python -m tools.released keeps the wire of a release"


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarProcess]:
    directory = tmp_path_factory.mktemp("releases")
    (directory / "configs").mkdir()
    manifests.local(directory / "configs", "files", directory)
    with running_sidecar(directory / "configs") as process:
        yield process


@releases
@pytest.mark.parametrize("service", [service.full_name for service in SERVICES])
def test_an_old_client_at_this_sidecar(release: str, service: str, sidecar: SidecarProcess) -> None:
    where = ("LocalConfig/files", f"old/{release}-{service.lower()}")
    with OldClient(release, sidecar.endpoint) as client:
        assert client.call(service, "GetSecret", *where).secret.data == {}
        assert client.call(service, "ApplySecret", *where, data={"a": b"1", "b": b"2"}).changed
        assert not client.call(service, "ApplySecret", *where, data={"a": b"1"}).changed
        client.call(service, "DeleteKeys", *where, data={"a": b""})
        assert client.call(service, "GetSecret", *where).secret.data == {"b": b"2"}
        client.call(service, "DeleteKeys", *where)
        assert client.call(service, "GetSecret", *where).secret.data == {}


@releases
def test_this_client_at_an_old_server(release: str) -> None:
    with old_server(release) as old, Client(old.endpoint) as client:
        applied = client.apply("VaultConfig/vault", "a/b", {"k": b"v"}, owner="uid")
        assert applied.changed
        assert applied.version is None
        fetched = client.get("VaultConfig/vault", "a/b")
        assert (fetched.data, fetched.version) == ({"k": b"v"}, None)
        client.delete_keys("VaultConfig/vault", "a/b", ["k"])
        assert old.secrets == {"a/b": {}}


def test_a_server_of_the_first_generation_knows_no_dry_run() -> None:
    """Which is why docs/upgrade.md says not to rehearse there."""
    with old_server("crossplane") as old, Client(old.endpoint) as client:
        client.apply("VaultConfig/vault", "a/b", {"k": b"v"}, dry_run=True)
        assert old.secrets == {"a/b": {"k": b"v"}}


def test_a_later_client_at_this_sidecar(sidecar: SidecarProcess) -> None:
    """It sends a field that nobody knows here, and is served."""
    request = ess_pb2.GetSecretRequest()
    request.config.kind, request.config.name = "LocalConfig", "files"
    request.config.api_version = "secrets.crossplane.io/v1alpha1"
    request.secret.scoped_name = "later/secret"
    unknown = b"\xc2\x3e\x03new"  # field 1000, of the length 3
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(Endpoint.parse(sidecar.endpoint).target, options=options) as channel:
        send = channel.unary_unary(f"/{SERVICES[0].full_name}/GetSecret")
        answer = ess_pb2.GetSecretResponse.FromString(send(request.SerializeToString() + unknown, timeout=10))
    assert answer.secret.scoped_name == "later/secret"
