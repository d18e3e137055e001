"""Many callers of one config at once, and how its guards stand meanwhile."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from store_plugin import errors
from store_plugin.client import Client
from tests.support.sidecar import SidecarProcess

CALLERS = 100
REFUSED = (errors.BreakerOpen, errors.Overloaded, errors.StoreUnavailable, errors.DeadlineExceeded)
"""What callers of a dead store are told."""


def state_of(sidecar: SidecarProcess, name: str) -> dict[str, Any]:
    configs = json.loads(sidecar.http("/configs"))["configs"]
    found: dict[str, Any] = next(config for config in configs if config["name"] == name)
    return found


def guards_of(sidecar: SidecarProcess, name: str) -> dict[str, Any]:
    found: dict[str, Any] = state_of(sidecar, name)["guards"] or {}
    return found


def metric(sidecar: SidecarProcess, line: str) -> float:
    lines = sidecar.http("/metrics").splitlines()
    return sum(float(found.rsplit(" ", 1)[1]) for found in lines if found.startswith(line))


@contextmanager
def callers_of(
    sidecar: SidecarProcess, name: str, deadline: float, team: str = "a", kind: str = "VaultConfig"
) -> Iterator[list[Future[object]]]:
    """So many callers at once, each of a secret of its own."""
    with Client(sidecar.endpoint) as client, ThreadPoolExecutor(CALLERS) as threads:
        yield [
            threads.submit(client.get, f"{kind}/{name}", f"team-{team}/{number}", timeout=deadline)
            for number in range(CALLERS)
        ]
