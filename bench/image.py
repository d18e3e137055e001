"""`make bench BENCH_ARGS=--image`: what the image adds to its base, and how soon it serves."""

import os
import statistics
import sys
import time

from bench.figures import Table
from tests.support import manifests
from tests.support.containers import Containers, containers
from tests.support.waiting import eventually
from tools.containers import missing

BOUNDS = {"all": 130.0, "vault": 75.0}
_USER = 65532


def image(table: Table, rounds: int) -> None:
    """All figures. Exits where containers cannot be had."""
    if reason := missing():
        sys.exit(f"bench: {reason}")
    with containers() as podman:
        for variant, bound in BOUNDS.items():
            added = podman.added_bytes(podman.built(variant)) / 1e6
            table.add(f"what the image adds to its base, {variant}", added, "MB", bound)
        times = [_start(podman, number) for number in range(rounds)]
        table.add(f"podman run to serving, median of {rounds}", statistics.median(times), "s", 1.5)


def _start(podman: Containers, number: int) -> float:
    """Seconds from the start of `podman run` until the sidecar says that it serves."""
    place = podman.directory / f"place-{number}"
    (place / "configs").mkdir(parents=True)
    manifests.local(place / "configs", "files", place)
    for path in (place, *place.rglob("*")):
        os.chown(path, _USER, _USER)
    options = ["--read-only", "--cap-drop", "all", "--volume", f"{place}:{place}"]
    begun = time.perf_counter()
    arguments = ["serve", "--config-dir", f"{place}/configs"]
    with podman.started(place.name, "localhost/store-plugin:all", options, arguments):
        eventually(lambda: '"serving"' in podman.log_of(place.name).read_text(), 60)
        return time.perf_counter() - begun
