"""`store-plugin publisher` as it is started: what it refuses, and where options come from."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.sidecar import PROGRAM

REFUSED: dict[str, tuple[list[str], dict[str, str], int, str]] = {
    "no cluster": ([], {}, 1, "name a cluster with --kubeconfig"),
    "a policy": (["--deletion-policy", "Perhaps"], {}, 2, "'Retain', 'Delete'"),
    "a policy by its variable": (
        [],
        {"DELETION_POLICY": "Perhaps"},
        2,
        "STORE_PLUGIN_PUBLISHER_DELETION_POLICY",
    ),
    "an interval": (["--refresh-interval", "1"], {}, 2, "--refresh-interval"),
    "workers": (["--concurrency", "0"], {}, 2, "--concurrency"),
    "an address": (["--admin-listen", "unix:///x"], {}, 1, "is not HOST:PORT"),
    "store configs": (["--store-configs", "v1"], {}, 2, "GROUP/VERSION"),
}


@pytest.mark.parametrize(("options", "environ", "code", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_it_does_not_start(
    tmp_path: Path, options: list[str], environ: dict[str, str], code: int, told: str
) -> None:
    variables = {f"STORE_PLUGIN_PUBLISHER_{name}": value for name, value in environ.items()}
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    if told == "is not HOST:PORT":
        (tmp_path / "kubeconfig").write_text(KUBECONFIG)
        options = [*options, "--kubeconfig", str(tmp_path / "kubeconfig")]
    ended = subprocess.run(
        [PROGRAM, "publisher", *options],
        env={**known, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    assert told in ended.stderr


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""
