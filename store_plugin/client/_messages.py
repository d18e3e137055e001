"""What both clients say and hear: requests built, checked and read in one place.

A request that cannot be right is refused here, before anything is sent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from store_plugin import wire
from store_plugin._proto import ess_pb2
from store_plugin.errors import InvalidRequest
from store_plugin.model import (
    OWNER_LABEL,
    Applied,
    ConfigReference,
    KeyChange,
    ScopedName,
    Secret,
    Version,
    check_keys,
)

DEFAULT_API_VERSION = "secrets.crossplane.io/v1alpha1"

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class FetchedSecret(Secret):
    """A secret as it was read. A secret that does not exist has no data, no metadata and
    no version; `version` is None as well where the store keeps none."""

    version: Version | None = None

    def __repr__(self) -> str:
        return (
            f"FetchedSecret(keys={sorted(self.data)}, metadata_keys={sorted(self.metadata)}, "
            f"version={self.version!r})"
        )


@dataclass(frozen=True, slots=True)
class Call(Generic[ResultT]):
    """One call, ready to be sent by any transport."""

    method: str
    request: bytes = field(repr=False)
    respond: Callable[[bytes], ResultT]
    """Reads the response."""
    repeatable: bool = True
    """Whether carrying it out twice does the same as once."""

    @property
    def path(self) -> str:
        return f"/{wire.SERVICES[0].full_name}/{self.method}"


def parse_config(config: ConfigReference | str) -> ConfigReference:
    """The config reference spelled `KIND/NAME` or `GROUP/VERSION/KIND/NAME`.

    InvalidRequest for any other spelling.
    """
    if isinstance(config, ConfigReference):
        return config
    parts = config.split("/")
    if all(parts) and len(parts) == 2:
        return ConfigReference(DEFAULT_API_VERSION, *parts)
    if all(parts) and len(parts) == 4:
        return ConfigReference("/".join(parts[:2]), *parts[2:])
    raise InvalidRequest(f"{config!r} is not a store config: write KIND/NAME or GROUP/VERSION/KIND/NAME")


def get_call(
    config: ConfigReference | str, name: ScopedName | str, version: Version | str | int | None
) -> Call[FetchedSecret]:
    """GetSecret."""
    version = _said_version(version, "the version")
    request = ess_pb2.GetSecretRequest(
        config=wire.reference_to(parse_config(config)), secret=_secret(name, Secret())
    )
    if version is not None:
        request.options.version = version
    return Call("GetSecret", request.SerializeToString(), _fetched)


def apply_call(
    config: ConfigReference | str,
    name: ScopedName | str,
    secret: Secret,
    *,
    owner: str | None,
    dry_run: bool,
    if_version: Version | str | int | None,
) -> Call[Applied]:
    """ApplySecret. Without options the request is what first-generation peers know."""
    if_version = _said_version(if_version, "if_version")
    secret = Secret(secret.data, _owned(secret.metadata, owner))
    secret.check_request()
    request = ess_pb2.ApplySecretRequest(
        config=wire.reference_to(parse_config(config)), secret=_secret(name, secret)
    )
    if dry_run:
        request.options.dry_run = True
    if if_version is not None:
        request.options.if_version = if_version
    return Call("ApplySecret", request.SerializeToString(), _applied, repeatable=if_version is None)


def delete_call(
    config: ConfigReference | str,
    name: ScopedName | str,
    keys: Collection[str],
    *,
    owner: str | None,
    keep_empty: bool,
    dry_run: bool,
) -> Call[tuple[KeyChange, ...]]:
    """DeleteKeys; no keys stand for the whole secret."""
    data = dict.fromkeys(keys, b"")
    check_keys(data)
    request = ess_pb2.DeleteKeysRequest(
        config=wire.reference_to(parse_config(config)), secret=_secret(name, Secret(data, _owned({}, owner)))
    )
    if keep_empty:
        request.options.keep_empty_secret = True
    if dry_run:
        request.options.dry_run = True
    return Call("DeleteKeys", request.SerializeToString(), _removed)


def named_keys(keys: Iterable[str]) -> Collection[str]:
    """The keys, where there are any: on the wire none would stand for the whole secret.

    They are counted after they were taken: a generator is true even where it yields nothing. A
    string is refused too, because its characters would be taken for keys.
    """
    if isinstance(keys, str):
        raise InvalidRequest("keys must be a collection of keys, not a string")
    named = tuple(keys)
    if not named:
        raise InvalidRequest("no keys to delete; to remove a whole secret call delete")
    return named


def _secret(name: ScopedName | str, secret: Secret) -> ess_pb2.Secret:
    return wire.secret_to(name if isinstance(name, ScopedName) else ScopedName.parse(name), secret)


def _owned(metadata: Mapping[str, str], owner: str | None) -> Mapping[str, str]:
    _check_said(owner, "the owner")
    if owner is None:
        return metadata
    return {**metadata, OWNER_LABEL: owner}


def _said_version(version: Version | str | int | None, what: str) -> str | None:
    """A version as it is sent. A number is written out, 0 too: it is a condition like any other, and
    to leave it away would make the write one without."""
    if isinstance(version, int) and not isinstance(version, bool):
        return str(version)
    if version is not None and not isinstance(version, str):
        raise InvalidRequest(f"{what} is of type {type(version).__name__}: give the version that was read")
    _check_said(version, what)
    return version


def _check_said(text: str | None, what: str) -> None:
    """On the wire an empty string is none: a variable that came out empty would drop a condition."""
    if text == "":
        raise InvalidRequest(f"{what} is an empty string; leave it out where there is none")


def _fetched(response: bytes) -> FetchedSecret:
    message = ess_pb2.GetSecretResponse.FromString(response)
    secret = wire.secret_from(message.secret)
    return FetchedSecret(secret.data, secret.metadata, _version(message.version))


def _applied(response: bytes) -> Applied:
    message = ess_pb2.ApplySecretResponse.FromString(response)
    return Applied(message.changed, wire.changes_from(message.changes), _version(message.version))


def _removed(response: bytes) -> tuple[KeyChange, ...]:
    return wire.changes_from(ess_pb2.DeleteKeysResponse.FromString(response).changes)


def _version(text: str) -> Version | None:
    return Version(text) if text else None
