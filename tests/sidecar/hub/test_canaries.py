"""Credentials of a plugin's config and values of its secrets appear nowhere but where they belong."""

import base64
import json
import subprocess

from store_plugin.errors import StorePluginError
from tests.sidecar.hub.conftest import FILES, Bench
from tests.support import manifests
from tests.support.local_plugin import API_VERSION, KIND, config
from tests.support.sidecar import PROGRAM
from tests.support.waiting import eventually

VALUE = "canary-value-5711"
PASTED = "canary-pasted-5712"


def commands(bench: Bench) -> list[str]:
    """What commands say about plugins, right ones and wrong ones."""
    calls = [
        ("-o", "json"),
        ("call", "files", "Descriptors"),
        ("call", "files", "grpc.health.v1.Health/Check", PASTED),
        ("call", "files", "storeplugin.backend.v1.SecretBackend/Read"),
    ]
    said = []
    for arguments in calls:
        named = (*arguments, "--control-socket", str(bench.control))
        ended = subprocess.run([PROGRAM, "plugins", *named], capture_output=True, text=True, timeout=100)
        said += [ended.stdout, ended.stderr]
    return said


def test_no_canary_leaves_the_places_meant_for_it(bench: Bench) -> None:
    configs = bench.directory / "configs"
    (bench.directory / "broken.key").write_text(f"{PASTED}\n")
    config(configs, "broken", bench.directory, key=manifests.from_file(bench.directory / "broken.key"))
    config(configs, "pasted", bench.directory, key=PASTED)
    config(configs, "unknown", bench.directory, canary=PASTED)
    said: list[str] = []
    with bench.plugin():
        bench.wait_until_it_works()
        eventually(lambda: "Invalid" in bench.sidecar.http("/configs"))
        for name in ("files", "broken", "pasted", "unknown"):
            try:
                reference = FILES.__class__(API_VERSION, KIND, name)
                bench.client.apply(reference, "team/db", {"k": VALUE.encode()})
            except StorePluginError as error:
                said += [repr(error), str(error.metadata), str(error.__cause__)]
        said += commands(bench)
        said += [bench.sidecar.http(page) for page in ("/plugins", "/metrics", "/configs", "/readyz")]
    assert bench.sidecar.stop() == 0
    said += [bench.sidecar.log, (bench.directory / "plugin.log").read_text()]
    everything = "\n".join(said)
    assert "CONFIG_INVALID" in everything or "ConfigInvalid" in everything
    key = (bench.directory / "files.key").read_text().strip()
    for canary in (VALUE, PASTED, key):
        for spelled in (canary, base64.b64encode(canary.encode()).decode().rstrip("="), json.dumps(canary)):
            assert spelled not in everything, f"{spelled} leaked"
