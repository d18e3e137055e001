"""Plugins as `plugin list` and `plugin status` show them: what the catalog says, and what the sidecar
says where one runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store_plugin.cli._output import Plain

if TYPE_CHECKING:
    from store_plugin._proto import control_pb2 as proto
    from store_plugin.lifecycle.catalog import Catalog

DISABLED, ENABLED = "Disabled", "Enabled"
"""States of what no sidecar runs: it is not to run, or it is and none has begun."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One plugin."""

    name: str
    version: str
    """That which runs, else the one to run, else the newest."""
    state: str
    enabled: str
    """The version that is to run; empty: none."""
    registered: tuple[str, ...]
    """All versions, oldest first."""
    digest: str
    signer: str
    since: str = ""
    restarts: int = 0
    instance: str = ""
    pid: int = 0
    why: str = ""

    def document(self) -> Plain:
        """For programs."""
        return {
            "name": self.name,
            "version": self.version,
            "state": self.state,
            "enabled": self.enabled or None,
            "registered": list(self.registered),
            "digest": self.digest,
            "signer": self.signer or None,
            "since": self.since or None,
            "restarts": self.restarts,
            "instance": self.instance or None,
            "pid": self.pid or None,
            "why": self.why or None,
        }


def shown(catalog: "Catalog", running: "Mapping[str, proto.ManagedPlugin]") -> list[Shown]:
    """All that are registered or run, by name."""
    registered: dict[str, dict[str, tuple[str, str]]] = {}
    for one in catalog.versions():
        registered.setdefault(one.name, {})[one.version] = one.digest, one.signer
    enabled = {name: one.registration.version for name, one in catalog.enabled().items()}
    return [
        _shown(name, registered.get(name, {}), enabled.get(name, ""), running.get(name))
        for name in sorted(registered.keys() | running.keys())
    ]


def _shown(
    name: str,
    registered: Mapping[str, tuple[str, str]],
    enabled: str,
    running: "proto.ManagedPlugin | None",
) -> Shown:
    newest = next(reversed(list(registered)), "")
    version = running.version if running else enabled or newest
    digest, signer = registered.get(version, ("", ""))
    if running is None:
        state = ENABLED if enabled else DISABLED
        return Shown(name, version, state, enabled, tuple(registered), digest, signer)
    return Shown(
        name,
        version,
        running.state,
        enabled,
        tuple(registered),
        running.digest,
        signer,
        running.since.ToJsonString(),
        running.restarts,
        running.instance,
        running.pid,
        running.why,
    )
