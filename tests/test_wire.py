"""Model to protobuf and back, errors to google.rpc.Status and back."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from store_plugin import errors, wire
from store_plugin._proto import ess_design_pb2, ess_pb2
from store_plugin.model import ChangeKind, ConfigReference, KeyChange, ScopedName, Secret

NAME = ScopedName.parse("team-a/db")
CLASSES = [cls for cls in errors.error_classes() if cls is not errors.RemoteError]


def over_the_wire(error: errors.StorePluginError) -> errors.StorePluginError:
    status = wire.status_of(error).SerializeToString()
    return wire.error_from(int(error.code), error.message, [(wire.STATUS_TRAILER, status)])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_error_arrives_as_itself(cls: type[errors.StorePluginError]) -> None:
    arrived = over_the_wire(cls("what went wrong", metadata={"config": "VaultConfig/a"}, retry_after=1.5))
    assert type(arrived) is cls
    assert (arrived.message, arrived.retry_after) == ("what went wrong", 1.5)
    assert arrived.metadata == ({"config": "VaultConfig/a"} if cls.reason else {})


def test_error_info_carries_reason_and_domain() -> None:
    status = wire.status_of(errors.NotOwner("no"))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason, info.domain) == (9, "NOT_OWNER", "secrets.crossplane.io")


def test_retry_info_only_where_waiting_helps() -> None:
    assert len(wire.status_of(errors.Conflict("x")).details) == 1
    assert len(wire.status_of(errors.Conflict("x", retry_after=0.25)).details) == 2


def damaged_detail() -> bytes:
    status = wire.status_of(errors.NotOwner("no"))
    status.details[0].value = b"\xff\xff"
    return status.SerializeToString()


@pytest.mark.parametrize(
    "trailing",
    [
        [],
        [(wire.STATUS_TRAILER, b"\xff\xff")],
        [(wire.STATUS_TRAILER, damaged_detail())],
        [("other", "x")],
    ],
    ids=["none", "no-status", "damaged-detail", "others"],
)
def test_foreign_error_keeps_its_code(trailing: list[tuple[str, str | bytes]]) -> None:
    arrived = wire.error_from(int(errors.Code.UNKNOWN), "said by another server", trailing)
    assert isinstance(arrived, errors.RemoteError)
    assert (arrived.code, arrived.reason) == (errors.Code.UNKNOWN, "")


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 10**9])
def test_what_a_peer_says_is_bounded(seconds: int) -> None:
    status = wire.status_of(errors.Throttled("no", metadata={"a": "b", "long": "c" * 10_000}, retry_after=1))
    status.details[1].Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds)))
    trailing = [(wire.STATUS_TRAILER, status.SerializeToString())]
    arrived = wire.error_from(int(status.code), "m" * 10_000_000, trailing)
    assert isinstance(arrived, errors.Throttled)
    assert arrived.retry_after in (0.0, wire.LONGEST_RETRY)
    assert arrived.metadata == {"a": "b"}
    assert wire.status_of(arrived).ByteSize() < 8192


def test_deadline_is_known_without_details() -> None:
    assert isinstance(wire.error_from(4, "Deadline Exceeded"), errors.DeadlineExceeded)


@given(
    data=st.dictionaries(st.text(min_size=1), st.binary()),
    metadata=st.dictionaries(st.text(min_size=1), st.text()),
)
def test_secret_survives_the_wire(data: dict[str, bytes], metadata: dict[str, str]) -> None:
    message = wire.secret_to(NAME, Secret(data, metadata))
    again = ess_pb2.Secret.FromString(message.SerializeToString())
    assert wire.secret_from(again) == Secret(data, metadata)
    assert again.scoped_name == "team-a/db"


def test_changes_survive_the_wire() -> None:
    changes = tuple(KeyChange(kind.name.lower(), kind) for kind in ChangeKind)
    assert wire.changes_from(wire.changes_to(changes)) == changes


def test_change_of_a_newer_kind_is_passed_over() -> None:
    known = ess_pb2.KeyChange(key="a", kind=ess_pb2.KeyChange.ADDED)
    newer = ess_pb2.KeyChange.FromString(b"\x0a\x01b\x10\x63")
    assert wire.changes_from([known, newer]) == (KeyChange("a", ChangeKind.ADDED),)


@pytest.mark.parametrize("part", ["api_version", "kind", "name"])
def test_reference_needs_all_its_parts(part: str) -> None:
    message = wire.reference_to(ConfigReference("v1", "K", "n"))
    assert wire.reference_from(message) == ConfigReference("v1", "K", "n")
    message.ClearField(part)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequest, match=part):
        wire.reference_from(message)


@pytest.mark.parametrize(
    "text", ["x" * 254, "a\nb", "a\0b", "\u202ea"], ids=["long", "newline", "nul", "bidi"]
)
@pytest.mark.parametrize("part", ["api_version", "kind", "name"])
def test_a_part_of_a_reference_is_a_short_printable_name(part: str, text: str) -> None:
    message = wire.reference_to(ConfigReference("v1", "K", "n"))
    setattr(message, part, text)
    with pytest.raises(errors.InvalidRequest, match=part) as caught:
        wire.reference_from(message)
    assert text not in caught.value.message


def test_both_service_names_share_their_messages() -> None:
    packaged, design = wire.SERVICES
    assert packaged.full_name == "ess.proto.v1alpha1.ExternalSecretStorePluginService"
    assert design.full_name == "ExternalSecretStoreService"
    assert design.file.name == ess_design_pb2.DESCRIPTOR.name
    for ours, theirs in zip(packaged.methods, design.methods, strict=True):
        assert ours.name == theirs.name
        assert (ours.input_type, ours.output_type) == (theirs.input_type, theirs.output_type)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (ess_pb2.ConfigReference, {"api_version": 1, "kind": 2, "name": 3}),
        (ess_pb2.Secret, {"scoped_name": 1, "metadata": 2, "data": 3}),
        (ess_pb2.GetSecretRequest, {"config": 1, "secret": 2, "options": 3}),
        (ess_pb2.GetSecretResponse, {"secret": 1, "version": 100}),
        (ess_pb2.ApplySecretRequest, {"config": 1, "secret": 2, "options": 3}),
        (ess_pb2.ApplySecretResponse, {"changed": 1, "changes": 100, "version": 101}),
        (ess_pb2.DeleteKeysRequest, {"config": 1, "secret": 2, "options": 3}),
        (ess_pb2.DeleteKeysResponse, {"changes": 100}),
        (ess_pb2.GetOptions, {"version": 100}),
        (ess_pb2.ApplyOptions, {"dry_run": 100, "if_version": 101}),
        (ess_pb2.DeleteOptions, {"keep_empty_secret": 1, "dry_run": 100}),
        (ess_pb2.KeyChange, {"key": 1, "kind": 2}),
    ],
)
def test_field_numbers_are_those_of_the_protocol(message: type, fields: dict[str, int]) -> None:
    assert {field.name: field.number for field in message.DESCRIPTOR.fields} == fields
