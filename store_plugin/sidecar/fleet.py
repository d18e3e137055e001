"""Members of a fleet as stores: only where an access config says how they are logged in to."""

from typing import TYPE_CHECKING

from store_plugin.sidecar.settings import Settings
from store_plugin.store import Logger

if TYPE_CHECKING:
    from store_plugin.access.members import FleetMembers

_LONGEST_LINE = 500


def fleet_of(settings: Settings, log: Logger) -> "FleetMembers | None":
    """What stores reach members with; nothing of it is imported where there are none. ConfigInvalid
    where the access config cannot be used. Blocking."""
    if settings.access_config is None:
        return None
    from store_plugin.access.members import FleetMembers, FleetOptions

    def on_output(provider: str, line: str) -> None:
        log.warning("exec plugin", provider=provider, line=line[:_LONGEST_LINE])

    return FleetMembers.of(
        FleetOptions(
            settings.access_config,
            settings.access_require_digest,
            settings.access_trusted_keys,
            settings.kubeconfig,
            settings.context,
        ),
        on_output,
    )
