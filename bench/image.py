"""`make bench BENCH_ARGS=--image`: what the image adds to its base, and how soon it serves."""

import json
import os
import statistics
import sys
import time
from datetime import datetime
from pathlib import Path

from bench.figures import Table
from tests.support import manifests
from tests.support.containers import Containers, containers
from tests.support.waiting import eventually
from tools.containers import missing

BOUNDS = {"all": 130.0, "vault": 75.0}
_START = 1.5
_USER = 65532


def image(table: Table, rounds: int) -> None:
    """All figures. Exits where containers cannot be had."""
    if reason := missing():
        sys.exit(f"bench: {reason}")
    with containers() as podman:
        for variant, bound in BOUNDS.items():
            added = podman.added_bytes(podman.built(variant)) / 1e6
            table.add(f"what the image adds to its base, {variant}", added, "MB", bound)
        inside, outside = zip(*(_start(podman, number) for number in range(rounds)), strict=True)
        table.add(
            f"start in the container to serving, median of {rounds}", statistics.median(inside), "s", 1.5
        )
        table.add(f"podman run to serving, median of {rounds}", statistics.median(outside), "s")


def _start(podman: Containers, number: int) -> tuple[float, float]:
    """Seconds until the sidecar serves, from the start of its process and from `podman run`."""
    place = podman.directory / f"place-{number}"
    (place / "configs").mkdir(parents=True)
    manifests.local(place / "configs", "files", place)
    for path in (place, *place.rglob("*")):
        os.chown(path, _USER, _USER)
    options = ["--read-only", "--cap-drop", "all", "--volume", f"{place}:{place}"]
    begun = time.time()
    arguments = ["serve", "--config-dir", f"{place}/configs"]
    with podman.started(place.name, "localhost/store-plugin:all", options, arguments):
        eventually(lambda: '"serving"' in podman.log_of(place.name).read_text(), 60)
        served = _served_at(podman.log_of(place.name))
        started = podman.run("inspect", "--format", "{{.State.StartedAt.UnixMilli}}", place.name)
        return served - int(started) / 1000, served - begun


def _served_at(log: Path) -> float:
    """When the sidecar said that it serves, by its own line."""
    (line,) = (line for line in log.read_text().splitlines() if '"serving"' in line)
    return datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
