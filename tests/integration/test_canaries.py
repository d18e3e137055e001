"""Secret values, tokens and keys are planted, everything is made to talk, and what it said
is searched for them."""

import base64
import json
from pathlib import Path

import psutil
import pytest

from store_plugin.client import Client
from store_plugin.errors import StorePluginError
from store_plugin.model import OWNER_LABEL
from tests.integration.conftest import World, make_world
from tests.support import manifests
from tests.support.openbao import OpenBao
from tests.support.raw import channel_to
from tests.support.sidecar import running_sidecar

VALUE = "canary-value-4711"
WRONG_TOKEN = "hvs.canary-token-4712"
CLIENT_TOKEN = "canary-client-token-4713"
PASTED = "canary-pasted-4714"
BINARY = b"\xfecanary-binary-4715\xff"


@pytest.fixture
def planted(bao: OpenBao, tmp_path: Path) -> World:
    world = make_world(bao, tmp_path)
    (tmp_path / "wrong").write_text(WRONG_TOKEN)
    (tmp_path / "client-token").write_text(CLIENT_TOKEN)
    wrong = {"method": "Token", "token": manifests.from_file(tmp_path / "wrong")}
    world.vault("refused", auth=wrong)
    world.vault("away", server="http://127.0.0.1:1")
    world.vault("pasted", auth={"method": "Token", "token": PASTED})
    world.vault("pasted-too", auth={"method": PASTED})
    (world.configs / "not.yaml").write_text(f"spec: [{PASTED}\n - : {{{PASTED}")
    return world


def provoke(client: Client) -> list[str]:
    """Calls that succeed and calls that fail in many ways; what the failures said."""
    said = []
    data = {"k": VALUE.encode(), "binary": BINARY}
    for config in ("v2", "v1", "refused", "away", "pasted", "absent"):
        for _ in range(2):
            try:
                client.apply(f"VaultConfig/{config}", "team-a/db", data, owner="uid-1")
                client.apply(f"VaultConfig/{config}", "team-a/db", data, owner="uid-2")
            except StorePluginError as error:
                said += [repr(error), str(error.metadata), str(error.__cause__), str(error.__context__)]
    said.append(repr(client.apply("LocalConfig/files", "team-a/db", data)))
    said.append(repr(client.get("LocalConfig/files", "team-a/db")))
    try:
        client.apply("LocalConfig/files", "team-a/db", data, metadata={OWNER_LABEL: "other"})
    except StorePluginError as error:
        said.append(repr(error))
    return said


def test_no_canary_leaves_the_places_meant_for_it(planted: World) -> None:
    arguments = (
        "--log-level",
        "debug",
        "--access-log",
        "--client-token-file",
        str(planted.data / "client-token"),
    )
    with running_sidecar(planted.configs, *arguments) as sidecar:
        with Client(sidecar.endpoint, token=CLIENT_TOKEN) as client:
            said = provoke(client)
        with Client(sidecar.endpoint, token="canary-wrong-4716") as client:
            with pytest.raises(StorePluginError) as caught:
                client.get("LocalConfig/files", "team-a/db")
            said.append(repr(caught.value))
        pages = [sidecar.http(page) for page in ("/readyz", "/healthz", "/metrics", "/configs")]
        process = psutil.Process(sidecar.pid)
        command_lines = [" ".join(one.cmdline()) for one in (process, *process.children(recursive=True))]
        assert sidecar.stop() == 0
        everything = "\n".join([*said, *pages, *command_lines, sidecar.log])
    assert "NOT_FOUND" in everything
    assert "LoginRefused" in everything
    token = (planted.data / "token").read_text().strip()
    key = (planted.data / "files.key").read_text().strip()
    for canary in (VALUE, WRONG_TOKEN, CLIENT_TOKEN, PASTED, "canary-", token, key):
        for spelled in (canary, base64.b64encode(canary.encode()).decode().rstrip("="), json.dumps(canary)):
            assert spelled not in everything, f"{spelled} leaked"


def test_no_canary_is_in_a_file_that_is_not_meant_to_hold_it(planted: World) -> None:
    with running_sidecar(planted.configs) as sidecar, Client(sidecar.endpoint) as client:
        provoke(client)
    meant = {"wrong", "client-token", "token", "files.key"}
    for path in planted.data.rglob("*"):
        if path.is_file() and path.name not in meant and path.parent != planted.configs:
            content = path.read_bytes()
            assert b"canary-" not in content, path


def test_the_channel_needs_the_token_on_every_method(planted: World) -> None:
    from store_plugin._proto.ess_pb2 import ApplySecretRequest, DeleteKeysRequest, GetSecretRequest
    from store_plugin.errors import CallerUnknown
    from tests.support.raw import SERVICE_NAMES, RawService, config, secret

    with (
        running_sidecar(
            planted.configs, "--client-token-file", str(planted.data / "client-token")
        ) as sidecar,
        channel_to(sidecar.endpoint) as channel,
    ):
        for name in SERVICE_NAMES:
            service = RawService(channel, name)
            for cls in (GetSecretRequest, ApplySecretRequest, DeleteKeysRequest):
                request = cls(config=config("files"), secret=secret("team-a/db"))
                for authorization in ("", "Bearer wrong", f"Basic {CLIENT_TOKEN}", CLIENT_TOKEN):
                    with pytest.raises(CallerUnknown):
                        service.call(request, authorization=authorization)
                service.call(request, authorization=f"Bearer {CLIENT_TOKEN}")
