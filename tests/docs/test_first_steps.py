"""The first page that a person follows: each of its commands answers as it is shown."""

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.docs.walks import take_walk
from tests.support.ports import free_port

PAGE = DOCS / "first-steps.md"
SERVER, SOCKET, PLACE = "127.0.0.1:8200", "unix:///@crossplane/secret/default.sock", "/tmp/trial"


@pytest.mark.timeout(240)
def test_the_steps_go_as_they_are_shown(tmp_path: Path) -> None:
    server, place = f"127.0.0.1:{free_port()}", tmp_path / "trial"
    here = f"unix://{tmp_path}/ess.sock"

    def as_here(text: str) -> str:
        """Beside others that do the same on this machine."""
        asked = text.replace(SERVER, server).replace(SOCKET, here).replace(PLACE, str(place))
        asked = asked.replace("bao server -dev ", f"bao server -dev -dev-listen-address={server} ")
        return asked.replace("publish.py VaultConfig/vault", f"publish.py VaultConfig/vault {here}")

    copied = tmp_path / "examples" / "first-steps"
    copied.mkdir(parents=True)
    for name in ("publish.py", "first-steps/vault.yaml"):
        (tmp_path / "examples" / name).write_text(as_here((ROOT / "examples" / name).read_text()))
    apart = {
        "STORE_PLUGIN_LISTEN": here,
        "STORE_PLUGIN_ENDPOINT": here,
        "STORE_PLUGIN_ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
        "STORE_PLUGIN_CONNECT_TIMEOUT": "60",
    }
    take_walk(PAGE, tmp_path, apart, as_here, seconds=200)
