"""OpenBao's own API, spoken with nothing but the standard library, and what most tests set up
by it: mounts, policies and tokens."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

_UPGRADED_SECONDS = 60.0


class ApiError(Exception):
    """The server's answer was no success."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class Api:
    """The API of a server at `address`, used with its root token."""

    def __init__(self, address: str, context: ssl.SSLContext | None) -> None:
        self.address = address
        self.root_token = "root"
        self._context = context

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
            with urllib.request.urlopen(request, timeout=30, context=self._context) as response:
                return str(response.read(), "utf-8")
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read().decode()) from None

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
        deadline = time.monotonic() + _UPGRADED_SECONDS
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

    def tokens(self) -> dict[str, dict[str, Any]]:
        """What the server says of each token, by accessor. Those of other tests may end while
        they are looked at: such a one is left out."""
        found = {}
        for accessor in self.accessors():
            with suppress(ApiError):
                found[accessor] = self.api("POST", "auth/token/lookup-accessor", {"accessor": accessor})[
                    "data"
                ]
        return found
