"""Who is at the other end of a stream: what it registered with, checked, and who it proved to be."""

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.errors import InvalidRequest, PluginRefused
from store_plugin.model import plural_of
from store_plugin.stream.features import PROTOCOL_VERSION, Feature, known
from store_plugin.stream.frames import is_plugin_name

_MOST_KINDS = 32
_MOST_SERVICES = 64
_MOST_TEXT = 253
_MOST_SCHEMA_BYTES = 256 * 1024
_MOST_BYTES_OF_SCHEMAS = 512 * 1024
"""Of one registration: each byte takes its time, on the loop that serves all others."""
_GROUP_VERSION = re.compile(r"(?=.{1,253}/)[a-z0-9]([a-z0-9.-]*[a-z0-9])?/v[a-z0-9]{1,62}\Z")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}\Z")
_PLURAL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
"""What the API server takes of a CRD; one that is not taken has no configs."""


@dataclass(frozen=True, slots=True)
class PluginKind:
    """A kind of store config that a plugin serves; `spec_schema` is OpenAPI v3 as JSON."""

    api_version: str
    kind: str
    plural: str
    spec_schema: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a plugin proved to be: `user` is what the listener's authentication found, empty
    where it asks for nothing; `names` are the DNS names of a certificate."""

    user: str = ""
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    instance: str = ""
    """The one that it proved to be, where the listener knows instances."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A registered plugin instance."""

    name: str
    version: str
    instance_id: str
    announced_instance: bool
    """Whether the plugin named its instance; else the id is ours, and instances of one name
    cannot be told apart."""
    identity: Identity = field(default_factory=Identity)
    features: frozenset[Feature] = frozenset()
    kinds: tuple[PluginKind, ...] = ()
    services: tuple[str, ...] = ()
    private: bool = False
    """Whether nobody but the two ends can read what goes over its stream."""
    local: bool = False
    """Whether it is a provider of the hub's own process, and no plugin."""
    connected_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def legacy(self) -> bool:
        """Whether it speaks operator-plugin-framework's frames only, one call at a time."""
        return Feature.CONCURRENT not in self.features


def registered_peer(frame: proto.PluginStreamMessage, identity: Identity, *, private: bool) -> Peer:
    """The peer that the first frame tells of. InvalidRequest where it tells of none, PluginRefused
    where it is another instance than it proved to be."""
    if frame.WhichOneof("payload") != "register":
        raise InvalidRequest("the first message must be `register`")
    found = frame.register
    if not is_plugin_name(found.name):
        raise InvalidRequest(
            "a plugin's name is a DNS label: 1 to 63 lower-case letters, digits and hyphens, "
            "and no hyphen at either end"
        )
    _check_versions(found)
    _check_text("version", found.version)
    _check_text("instance_id", found.instance_id)
    instance = _instance(found, identity)
    return Peer(
        name=found.name,
        version=found.version,
        instance_id=instance or uuid.uuid4().hex[:12],
        announced_instance=bool(instance),
        identity=identity,
        features=known(found.features),
        kinds=_kinds(found),
        services=_services(found),
        private=private,
    )


def _check_versions(found: proto.PluginRegister) -> None:
    """Who names none speaks the framework's frames, or whatever it announces as features."""
    spoken = sorted(found.protocol_versions)
    if spoken and PROTOCOL_VERSION not in spoken:
        raise InvalidRequest(
            f"it speaks version {', '.join(map(str, spoken[:8]))} of the stream's protocol, this hub "
            f"version {PROTOCOL_VERSION}: run versions of both that have one in common"
        )


def _instance(found: proto.PluginRegister, identity: Identity) -> str:
    if identity.instance and found.instance_id not in ("", identity.instance):
        raise PluginRefused(f"{identity.user} is another instance than the one that it registers")
    return identity.instance or found.instance_id


def _kinds(found: proto.PluginRegister) -> tuple[PluginKind, ...]:
    if len(found.kinds) > _MOST_KINDS:
        raise InvalidRequest(f"a plugin may serve {_MOST_KINDS} kinds; this one names {len(found.kinds)}")
    kinds = tuple(
        PluginKind(k.api_version, k.kind, k.plural or plural_of(k.kind), k.spec_schema) for k in found.kinds
    )
    for kind in kinds:
        _check_kind(kind)
    if len({(kind.api_version, kind.kind) for kind in kinds}) < len(kinds):
        raise InvalidRequest("the registration names a kind twice")
    if sum(len(kind.spec_schema) for kind in kinds) > _MOST_BYTES_OF_SCHEMAS:
        raise InvalidRequest(f"the schemas are larger than {_MOST_BYTES_OF_SCHEMAS} bytes together")
    return kinds


def _check_kind(kind: PluginKind) -> None:
    if not _GROUP_VERSION.match(kind.api_version) or not _KIND.match(kind.kind):
        raise InvalidRequest(
            "a kind needs an apiVersion with a group, such as backends.example.org/v1, and a name of "
            "letters and digits"
        )
    if not _PLURAL.match(kind.plural):
        raise InvalidRequest(f"the plural of {kind.kind} is no DNS label that begins with a letter")
    if len(kind.spec_schema) > _MOST_SCHEMA_BYTES:
        raise InvalidRequest(f"the schema of {kind.kind} is larger than {_MOST_SCHEMA_BYTES} bytes")


def _services(found: proto.PluginRegister) -> tuple[str, ...]:
    if len(found.services) > _MOST_SERVICES:
        raise InvalidRequest(f"a plugin may name {_MOST_SERVICES} services; this one: {len(found.services)}")
    for service in found.services:
        _check_text("service", service)
    return tuple(found.services)


def _check_text(what: str, text: str) -> None:
    if len(text) > _MOST_TEXT or not text.isprintable():
        raise InvalidRequest(f"the {what} of a registration is at most {_MOST_TEXT} printable characters")
