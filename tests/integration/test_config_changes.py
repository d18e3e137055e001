"""Configs and credentials that change while callers call: no call fails for it."""

import json
from pathlib import Path

from store_plugin.client import Client
from tests.integration.callers import Callers
from tests.integration.conftest import World, make_world
from tests.support.openbao import OpenBao
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

CHANGES = 5


def generation(sidecar: SidecarProcess, name: str) -> int:
    states = json.loads(sidecar.http("/configs"))["configs"]
    return next(int(state["generation"]) for state in states if state["name"] == name)


def test_a_config_changed_under_sixteen_callers_fails_no_call(bao: OpenBao, tmp_path: Path) -> None:
    world: World = make_world(bao, tmp_path)
    with running_sidecar(world.configs) as sidecar, Client(sidecar.endpoint) as client:
        client.apply("VaultConfig/v2", "team-a/db", {"k": b"v"})
        with Callers(sidecar, "VaultConfig/v2", "team-a/db") as callers:
            for change in range(CHANGES):
                before = generation(sidecar, "v2")
                world.vault("v2", timeout=f"{20 + change}s")
                eventually(lambda before=before: generation(sidecar, "v2") > before)
                callers.more()
        assert not callers.failures


def test_a_token_rotated_under_sixteen_callers_fails_no_call(bao: OpenBao, tmp_path: Path) -> None:
    world = make_world(bao, tmp_path)
    policy = bao.kv_policy(world.mounts["v2"])
    with (
        running_sidecar(world.configs, "--credential-poll-interval", "0.1") as sidecar,
        Client(sidecar.endpoint) as client,
    ):
        client.apply("VaultConfig/v2", "team-a/db", {"k": b"v"})
        with Callers(sidecar, "VaultConfig/v2", "team-a/db") as callers:
            for _ in range(CHANGES):
                beside = world.data / "token.new"
                beside.write_text(bao.token([policy]))
                beside.rename(world.data / "token")
                callers.more()
        assert not callers.failures


def test_an_invalid_file_keeps_the_last_good_config(bao: OpenBao, tmp_path: Path) -> None:
    world = make_world(bao, tmp_path)
    with running_sidecar(world.configs) as sidecar, Client(sidecar.endpoint) as client:
        client.apply("LocalConfig/files", "team-a/db", {"k": b"v"})
        path = world.configs / "localconfig-files.yaml"
        good = path.read_text()
        path.write_text(good.replace("path:", "pth:"))
        eventually(lambda: "LocalConfig/files" in sidecar.http("/readyz"))
        assert dict(client.get("LocalConfig/files", "team-a/db").data) == {"k": b"v"}
        problems = json.loads(sidecar.http("/configs"))["problems"]
        assert problems
        assert sidecar.log.count('"event": "config problem"') == len(problems)
        assert f"store_plugin_config_problems {len(problems)}.0" in sidecar.http("/metrics")
        path.write_text(good)
        eventually(lambda: "LocalConfig/files" not in sidecar.http("/readyz"))
