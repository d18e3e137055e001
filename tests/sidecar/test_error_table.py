"""Each row of the error table of docs/wire.md that a local store can meet, under both
service names."""

import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.message import Message

from store_plugin import errors
from store_plugin._proto.ess_pb2 import (
    ApplyOptions,
    ApplySecretRequest,
    ConfigReference,
    DeleteKeysRequest,
    GetOptions,
    GetSecretRequest,
)
from store_plugin.model import MAX_DATA_BYTES, OWNER_LABEL
from tests.support.raw import RawService, config, secret, typed

FILES = config("files")
BAD_NAMES = {
    "parent": "team-a/../team-b/db",
    "only-parent": "..",
    "here": "team-a/./db",
    "percent": "team-a/%2e%2e/db",
    "empty-segment": "team-a//db",
    "leading-slash": "/team-a/db",
    "trailing-slash": "team-a/db/",
    "backslash": "team-a\\db",
    "newline": "team-a/db\n",
    "nul": "team-a/d\0b",
    "ten-kilobytes": "a" * 10_000,
    "nine-segments": "/".join("abcdefghi"),
    "empty": "",
    "unicode": "team-a/dé",
}


def requests_for(name: str, where: ConfigReference = FILES) -> list[Message]:
    one = secret(name, {"k": b"v"})
    return [
        GetSecretRequest(config=where, secret=one),
        ApplySecretRequest(config=where, secret=one),
        DeleteKeysRequest(config=where, secret=one),
    ]


def fresh() -> str:
    return f"team-a/{uuid4().hex}"


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_bad_names_are_refused_by_each_method(service: RawService, name: str) -> None:
    for request in requests_for(name):
        with pytest.raises(errors.InvalidRequest) as caught:
            service.call(request)
        assert caught.value.reason == "INVALID_REQUEST"


@pytest.mark.parametrize("key", ["", "a b", "a/b", "é", "metadata:x", "k" * 254])
def test_bad_keys_are_refused(service: RawService, key: str) -> None:
    for request in (
        ApplySecretRequest(config=FILES, secret=secret(fresh(), {key: b"v"})),
        DeleteKeysRequest(config=FILES, secret=secret(fresh(), {key: b""})),
    ):
        with pytest.raises(errors.InvalidRequest, match="key"):
            service.call(request)


@pytest.mark.parametrize("cls", [GetSecretRequest, ApplySecretRequest, DeleteKeysRequest])
def test_a_request_without_config_or_secret_is_refused(service: RawService, cls: type[Message]) -> None:
    for request, missing in (
        (cls(), "config"),
        (cls(secret=secret("team-a/db")), "config"),
        (cls(config=FILES), "secret"),
        (cls(config=config(""), secret=secret("team-a/db")), "name"),
    ):
        with pytest.raises(errors.InvalidRequest, match=missing):
            service.call(request)


@pytest.mark.parametrize(
    "frame",
    [b"\xff", b"\x0a\xff", b"\x12\x04\x0a\x02\xff\xfe", b"\x0a\x05\x0a\x03\xed\xa0\x80", b"\x12\x7f"],
    ids=["wild", "cut", "name-not-utf8", "surrogate", "length-beyond-end"],
)
def test_malformed_frames_are_invalid_requests(service: RawService, frame: bytes) -> None:
    for method in ("GetSecret", "ApplySecret", "DeleteKeys"):
        with pytest.raises(Exception) as caught:
            service.send(method, frame)
        assert typed(caught.value).reason == "INVALID_REQUEST"  # type: ignore[arg-type]


def test_a_mebibyte_fits_and_a_byte_more_is_too_large(service: RawService) -> None:
    name = fresh()
    service.call(ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"x" * MAX_DATA_BYTES})))
    stored = service.call(GetSecretRequest(config=FILES, secret=secret(name)))
    assert len(stored.secret.data["k"]) == MAX_DATA_BYTES  # type: ignore[attr-defined]
    with pytest.raises(errors.TooLarge, match=str(MAX_DATA_BYTES)):
        service.call(
            ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"x" * (MAX_DATA_BYTES + 1)}))
        )


def test_merging_beyond_the_limit_is_too_large(service: RawService) -> None:
    name, half = fresh(), b"x" * (MAX_DATA_BYTES // 2 + 1)
    service.call(ApplySecretRequest(config=FILES, secret=secret(name, {"one": half})))
    with pytest.raises(errors.TooLarge):
        service.call(ApplySecretRequest(config=FILES, secret=secret(name, {"two": half})))


def test_ten_thousand_keys_are_kept(service: RawService) -> None:
    name, data = fresh(), {f"key-{number}": b"%d" % number for number in range(10_000)}
    service.call(ApplySecretRequest(config=FILES, secret=secret(name, data)))
    stored = service.call(GetSecretRequest(config=FILES, secret=secret(name)))
    assert dict(stored.secret.data) == data  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (config("absent"), errors.ConfigNotFound),
        (config("files", kind="UnheardOfConfig"), errors.KindNotServed),
        (config("files", api_version="example.org/v1"), errors.KindNotServed),
        (config("broken"), errors.ConfigInvalid),
        (config("keyless"), errors.ConfigInvalid),
    ],
    ids=["config", "kind", "group", "invalid", "credential"],
)
def test_configs_that_cannot_be_used(
    service: RawService, reference: Message, expected: type[errors.StorePluginError]
) -> None:
    with pytest.raises(expected) as caught:
        service.call(GetSecretRequest(config=reference, secret=secret("team-a/db")))  # type: ignore[arg-type]
    assert type(caught.value) is expected


def test_another_owner_is_refused(service: RawService) -> None:
    name = fresh()
    mine, theirs = {OWNER_LABEL: "uid-1"}, {OWNER_LABEL: "uid-2"}
    service.call(ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"v"}, mine)))
    for request in (
        ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"w"}, theirs)),
        ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"w"})),
        DeleteKeysRequest(config=FILES, secret=secret(name, {}, theirs)),
    ):
        with pytest.raises(errors.NotOwner):
            service.call(request)
    stored = service.call(GetSecretRequest(config=FILES, secret=secret(name)))
    assert stored.secret.data["k"] == b"v"  # type: ignore[attr-defined]


def test_a_scope_that_access_does_not_name_is_refused_on_every_verb(service: RawService) -> None:
    reference = config("restricted")
    service.call(ApplySecretRequest(config=reference, secret=secret("team-a/db", {"k": b"v"})))
    for request in (
        GetSecretRequest(config=reference, secret=secret("team-b/db")),
        ApplySecretRequest(config=reference, secret=secret("team-b/db", {"k": b"v"})),
        DeleteKeysRequest(config=reference, secret=secret("team-b/db")),
        GetSecretRequest(config=reference, secret=secret("team-a/deeper/db")),
    ):
        with pytest.raises(errors.ScopeNotAllowed):
            service.call(request)


@pytest.mark.parametrize("name", ["forbidden", "forbidden-keyless"])
def test_access_is_checked_before_the_store_is_opened(service: RawService, data_dir: Path, name: str) -> None:
    for request in requests_for("team-a/db", config(name)):
        with pytest.raises(errors.ScopeNotAllowed):
            service.call(request)
    assert not (data_dir / f"{name}.db").exists()


def test_if_version_that_differs_is_a_conflict(service: RawService) -> None:
    name = fresh()
    first = service.call(ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"1"})))
    version = first.version  # type: ignore[attr-defined]
    service.call(
        ApplySecretRequest(
            config=FILES, secret=secret(name, {"k": b"2"}), options=ApplyOptions(if_version=version)
        )
    )
    for stale in (version, "0"):
        with pytest.raises(errors.Conflict):
            service.call(
                ApplySecretRequest(
                    config=FILES, secret=secret(name, {"k": b"3"}), options=ApplyOptions(if_version=stale)
                )
            )


def test_a_version_from_a_store_without_versions_is_refused(service: RawService) -> None:
    with pytest.raises(errors.InvalidRequest, match="version"):
        service.call(GetSecretRequest(config=FILES, secret=secret(fresh()), options=GetOptions(version="1")))


def test_a_tampered_value_is_data_loss(service: RawService, data_dir: Path) -> None:
    name = fresh()
    service.call(ApplySecretRequest(config=FILES, secret=secret(name, {"k": b"value"})))
    with sqlite3.connect(data_dir / "files.db") as database:
        changed = database.execute(
            "UPDATE value SET sealed = zeroblob(length(sealed)) WHERE name = ?", (name,)
        )
        assert changed.rowcount == 1
    with pytest.raises(errors.Tampered):
        service.call(GetSecretRequest(config=FILES, secret=secret(name)))


def test_a_missing_secret_is_empty_and_no_error(service: RawService) -> None:
    name = fresh()
    stored = service.call(GetSecretRequest(config=FILES, secret=secret(name)))
    assert stored.secret.scoped_name == name  # type: ignore[attr-defined]
    assert not stored.secret.data  # type: ignore[attr-defined]
    assert not stored.version  # type: ignore[attr-defined]


def test_errors_carry_the_request_id_of_the_caller(service: RawService) -> None:
    with pytest.raises(errors.ConfigNotFound) as caught:
        service.call(
            GetSecretRequest(config=config("absent"), secret=secret("a/b")), x_request_id="trace-me-1"
        )
    assert caught.value.metadata["request_id"] == "trace-me-1"
