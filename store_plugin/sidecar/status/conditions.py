"""What a config's status says: `Synced`, whether it could be taken, and `Ready`, whether its
store can be used."""

from dataclasses import dataclass, replace

from store_plugin.cluster_api import Json
from store_plugin.cluster_events import now
from store_plugin.config.table import LoadedConfig

_LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Said:
    """One condition, as it stands in a status. `status`: True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str = ""
    generation: int = 0
    since: str = ""

    @classmethod
    def read(cls, found: Json) -> "Said":
        """From the object."""
        return cls(
            str(found.get("type", "")),
            str(found.get("status", "")),
            str(found.get("reason", "")),
            str(found.get("message", "")),
            int(found.get("observedGeneration") or 0),
            str(found.get("lastTransitionTime", "")),
        )

    def following(self, before: "Said | None") -> "Said":
        """With the time since when it has this status; all of `before` where it says the same."""
        since = before.since if before is not None and before.status == self.status else ""
        return replace(self, message=self.message[:_LONGEST_MESSAGE], since=since or now())

    def manifest(self) -> Json:
        """For the API server."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": self.generation,
            "lastTransitionTime": self.since,
        }


def synced(config: LoadedConfig, generation: int) -> Said:
    """Whether the config could be taken as it stands there now."""
    if config.error is None:
        return Said("Synced", "True", "Taken", "", generation)
    serves = "" if config.spec is None else "; the last good spec is in use"
    return Said("Synced", "False", "Invalid", f"{config.error}{serves}", generation)
