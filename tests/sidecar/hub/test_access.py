"""Who may connect to a sidecar's hub, as its options say."""

import json
import subprocess
from pathlib import Path

import pytest

from store_plugin.plugin import Plugin
from tests.hub.conftest import running
from tests.support.certificates import CertificateAuthority
from tests.support.echo import Echo, add_echo
from tests.support.ports import free_port
from tests.support.sidecar import PROGRAM, running_sidecar
from tests.support.waiting import until

UNSAFE = {
    "open TCP": (("--hub-listen", "0.0.0.0:4041"), "anybody could register plugins"),
    "no certificates": (("--hub-listen", "127.0.0.1:4041", "--hub-auth", "mtls"), "give --hub-certs-dir"),
    "a rule without users": (("--hub-listen", "@hub", "--hub-allow", "a=b"), "--hub-auth"),
    "no rule": (("--hub-listen", "@hub", "--hub-auth", "mtls", "--hub-allow", "nothing"), "USER=NAME"),
}


@pytest.mark.parametrize(("options", "told"), UNSAFE.values(), ids=UNSAFE)
def test_what_is_not_safe_is_refused_at_the_start(
    tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    arguments = ("--config-dir", str(tmp_path), "--listen", f"unix://{tmp_path}/s", "--admin-listen")
    command = [PROGRAM, "serve", *arguments, f"127.0.0.1:{free_port()}", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("rules", "names", "accepted"),
    [
        pytest.param((), ("vault.team-a.svc",), "vault", id="the certificate"),
        pytest.param(("spiffe://team-a/sa=ec*",), ("spiffe://team-a/sa",), "echo", id="a rule"),
    ],
)
async def test_a_certificate_says_which_plugin_this_is(
    tmp_path: Path, rules: tuple[str, ...], names: tuple[str, ...], accepted: str
) -> None:
    authority = CertificateAuthority.create()
    certs = authority.server().write(tmp_path / "certs")
    client = authority.client(*names).write(tmp_path / "client")
    (tmp_path / "configs").mkdir()
    address = f"localhost:{free_port()}"
    options = ["--hub-listen", address, "--hub-auth", "mtls", "--hub-certs-dir", str(certs)]
    options += [part for rule in rules for part in ("--hub-allow", rule)]
    with running_sidecar(tmp_path / "configs", *options) as sidecar:
        for name in ("vault", "echo"):
            plugin = Plugin(name, "1.0")
            add_echo(Echo(), plugin)
            shown = {
                "ca": client / "ca.crt",
                "certificate": client / "tls.crt",
                "key": client / "tls.key",
            }
            async with running(plugin, f"https://{address}", **shown):
                await until(lambda name=name: f'"plugin": "{name}"' in sidecar.log, within=20)
        lines = [json.loads(line) for line in sidecar.log.splitlines() if '"plugin ' in line]
        outcomes = {(line["plugin"], line["event"]) for line in lines}
    other = "echo" if accepted == "vault" else "vault"
    assert (accepted, "plugin connected") in outcomes
    assert (other, "plugin refused") in outcomes
    assert (other, "plugin connected") not in outcomes
