"""Between the model and protobuf, and between errors and google.rpc.Status.

The only place that knows both sides; it speaks protobuf and no gRPC library, so that
sidecar, client and plugins share it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from store_plugin import errors
from store_plugin._proto import ess_design_pb2, ess_pb2
from store_plugin.model import ChangeKind, ConfigReference, KeyChange, ScopedName, Secret

MAX_REFERENCE_PART = 253
"""Most characters in each part of a config reference, as in Kubernetes' names."""

PROBE: Final = ConfigReference("doctor.example.org/v1", "Doctor", "none"), ScopedName.parse("doctor/none")
"""A config that nobody has, and a secret: who asks for it, as `store-plugin doctor` does, wants to see
that calls get through, and the answer that nobody serves the kind shows it."""

STATUS_TRAILER = "grpc-status-details-bin"
"""Trailing metadata that carries a serialized google.rpc.Status."""

SERVICES: Final = (
    ess_pb2.DESCRIPTOR.services_by_name["ExternalSecretStorePluginService"],
    ess_design_pb2.DESCRIPTOR.services_by_name["ExternalSecretStoreService"],
)
"""Both names of the one service; the first is the one our client calls."""

LONGEST_RETRY = 3600.0
"""Seconds to wait that a peer may ask for."""
_LONGEST_MESSAGE = 4096
_MOST_METADATA = 2048
"""Characters of an error that a peer sent."""

_CLASS_OF_REASON = {cls.reason: cls for cls in errors.error_classes() if cls.reason}
_CLASS_OF_CODE: dict[int, type[errors.StorePluginError]] = {
    cls.code: cls for cls in (errors.DeadlineExceeded, errors.Cancelled)
}


def reference_from(message: ess_pb2.ConfigReference) -> ConfigReference:
    """The config reference; InvalidRequest where a part of it is missing or no name."""
    for part in ("api_version", "kind", "name"):
        text = getattr(message, part)
        if not text:
            raise errors.InvalidRequest(f"the request's config has no {part}")
        if len(text) > MAX_REFERENCE_PART or not text.isprintable():
            raise errors.InvalidRequest(
                f"the {part} of the request's config is no name: "
                f"at most {MAX_REFERENCE_PART} printable characters are allowed"
            )
    return ConfigReference(message.api_version, message.kind, message.name)


def reference_to(reference: ConfigReference) -> ess_pb2.ConfigReference:
    """The reference as a message."""
    return ess_pb2.ConfigReference(
        api_version=reference.api_version, kind=reference.kind, name=reference.name
    )


def secret_from(message: ess_pb2.Secret) -> Secret:
    """Data and metadata as they came, unchecked."""
    return Secret(dict(message.data), dict(message.metadata))


def secret_to(name: ScopedName, secret: Secret) -> ess_pb2.Secret:
    """The secret as a message."""
    return ess_pb2.Secret(scoped_name=str(name), metadata=secret.metadata, data=secret.data)


def changes_to(changes: Iterable[KeyChange]) -> list[ess_pb2.KeyChange]:
    """Changes as messages."""
    return [ess_pb2.KeyChange(key=change.key, kind=change.kind.name) for change in changes]


def changes_from(messages: Iterable[ess_pb2.KeyChange]) -> tuple[KeyChange, ...]:
    """Changes of kinds known here; a newer server may send others."""
    known = {kind.value for kind in ChangeKind}
    return tuple(KeyChange(m.key, ChangeKind(m.kind)) for m in messages if m.kind in known)


def status_of(error: errors.StorePluginError) -> status_pb2.Status:
    """The error as google.rpc.Status with ErrorInfo, and RetryInfo where waiting helps."""
    status = status_pb2.Status(code=int(error.code), message=error.message)
    if error.reason:
        info = error_details_pb2.ErrorInfo(reason=error.reason, domain=errors.DOMAIN, metadata=error.metadata)
        status.details.add().Pack(info)
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def error_from(
    code: int, message: str, trailing: Sequence[tuple[str, str | bytes]] = ()
) -> errors.StorePluginError:
    """The typed error of a call that ended with `code`, `message` and trailing metadata.
    Details that are damaged count as none: the code still tells. The peer may be a plugin or a server of
    anybody, and what it says is passed on, logged and waited for: so it is bounded."""
    message = message[:_LONGEST_MESSAGE]
    try:
        info, retry_after = _details_of(_status_in(trailing))
    except DecodeError:
        info, retry_after = None, None
    metadata = _bounded(info.metadata) if info else {}
    cls = _CLASS_OF_REASON.get(info.reason) if info else _CLASS_OF_CODE.get(code)
    if cls is None:
        return errors.RemoteError(code, message, metadata=metadata, retry_after=retry_after)
    return cls(message, metadata=metadata, retry_after=retry_after)


def _bounded(metadata: Mapping[str, str]) -> dict[str, str]:
    """As much of it as travels in the headers of one answer; what does not fit is left out."""
    found, room = {}, _MOST_METADATA
    for key, value in metadata.items():
        if (size := len(key) + len(value)) <= room:
            room -= size
            found[key] = value
    return found


def _status_in(trailing: Sequence[tuple[str, str | bytes]]) -> status_pb2.Status:
    for key, value in trailing:
        if key == STATUS_TRAILER and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()


def _details_of(status: status_pb2.Status) -> tuple[error_details_pb2.ErrorInfo | None, float | None]:
    info, retry_after = None, None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after = min(max(retry.retry_delay.ToNanoseconds() / 1e9, 0.0), LONGEST_RETRY)
    return info, retry_after
