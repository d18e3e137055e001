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
    "an address": (["--admin-listen", "unix:///x"], {}, 2, "HOST:PORT"),
    "a default of no name": (["--default-store-config", "{name}"], {}, 2, "not the name of a StoreConfig"),
    "store configs": (["--store-configs", "v1"], {}, 2, "GROUP/VERSION"),
}


@pytest.mark.parametrize(("options", "environ", "code", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_it_does_not_start(
    tmp_path: Path, options: list[str], environ: dict[str, str], code: int, told: str
) -> None:
    variables = {f"STORE_PLUGIN_PUBLISHER_{name}": value for name, value in environ.items()}
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ended = subprocess.run(
        [PROGRAM, "publisher", *options],
        env={**known, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    assert told in ended.stderr
