"""The plugins connected now, as pages and commands show them. Nothing here is secret: kinds have
no specs, and services no requests."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from store_plugin.hub.registry import Entry, Registry


@dataclass(frozen=True, slots=True)
class PluginState:
    """One instance."""

    name: str
    version: str
    instance: str
    user: str
    """Who it proved to be; empty where nothing is asked for."""
    kinds: tuple[str, ...]
    """`KIND (apiVersion)`."""
    services: tuple[str, ...]
    since: str
    """When it connected, in RFC 3339."""
    in_flight: int
    """Calls under way."""
    silent_for: float
    """Seconds since its last sign of life."""

    def as_json(self) -> Mapping[str, object]:
        return asdict(self)


def states(registry: Registry) -> list[PluginState]:
    """All that take calls, ordered by name."""
    return list(map(_state, registry.entries()))


def _state(entry: Entry) -> PluginState:
    peer = entry.peer
    return PluginState(
        name=peer.name,
        version=peer.version,
        instance=peer.instance_id,
        user=peer.identity.user,
        kinds=tuple(f"{kind.kind} ({kind.api_version})" for kind in peer.kinds),
        services=peer.services,
        since=peer.connected_at.isoformat(timespec="seconds"),
        in_flight=entry.instance.in_flight,
        silent_for=round(entry.instance.silent_for(), 3),
    )
