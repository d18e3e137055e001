"""How a plugin that the sidecar runs is doing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Of one plugin."""

    STARTING = "Starting"
    READY = "Ready"
    UPDATING = "Updating"
    """Another version is being tried beside the one that serves."""
    WAITING = "Waiting"
    """It ended, and is started again after a while."""
    BROKEN = "Broken"
    """It ended too often, or nobody vouches for it: it is tried rarely, or at once on request."""
    STOPPING = "Stopping"


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What `plugin status` shows. `why` tells of the last failure."""

    name: str
    version: str
    digest: str
    state: State
    since: datetime
    restarts: int
    instance_id: str = ""
    pid: int | None = None
    why: str = ""
    wanted_version: str = ""
    """What it is asked to run; another than `version` while that is tried."""
