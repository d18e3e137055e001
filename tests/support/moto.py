"""AWS on loopback: a process with moto in it, and a client of one's own to set things up."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.support.ports import free_port
from tests.support.processes import end

REGION = "eu-west-1"
ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "test-secret-access-key"
_READY_SECONDS = 60.0


class Moto:
    """A running server at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._keys = ACCESS_KEY, SECRET_KEY

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of the tests' own. Typed by nobody."""
        return boto3.Session(*self._keys, region_name=region).client(service, endpoint_url=self.address)

    def key(self, alias: str, region: str = REGION) -> str:
        """The id of a new KMS key; it gets the alias where no other one has it."""
        kms = self.client("kms", region)
        found: str = kms.create_key()["KeyMetadata"]["KeyId"]
        with suppress(kms.exceptions.AlreadyExistsException):
            kms.create_alias(AliasName=alias, TargetKeyId=found)
        return found

    def user(self, *actions: str, resource: str = "*") -> tuple[str, str]:
        """The access key of a new IAM user that may do what is told."""
        name = f"user-{uuid4().hex[:8]}"
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        return self.user_with({"Version": "2012-10-17", "Statement": [statement]}, name)

    def user_with(self, policy: Mapping[str, Any], name: str) -> tuple[str, str]:
        """As `user`, with a whole policy."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if any(statement["Action"] for statement in policy["Statement"]):
            iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def guard(self) -> None:
        """Believe in IAM from now on: whoever is no user, or lacks a right, is refused. The
        clients of the tests' own may do everything."""
        self._keys = self.user("*")
        self._control("guard", b"")

    def calls(self) -> Counter[str]:
        """How often each operation was asked for since this was asked last."""
        return Counter(request["operation"] for request in self.requests())

    def requests(self) -> list[dict[str, Any]]:
        """As `calls`: of each request the `operation`, the `key` that signed it, and what was
        `asked` of STS."""
        return self._control("calls")

    def sessions_live(self, seconds: int) -> None:
        """What STS says of the sessions that it gives out from now on."""
        self._control("life", str(seconds).encode())

    def fail(
        self,
        operation: str,
        *,
        status: int = 500,
        code: str = "InternalServiceError",
        carried_out: bool = False,
        times: int = 1,
        after: int = 0,
    ) -> None:
        """Let the next requests for an operation fail, carried out or not, `after` good ones."""
        fault = {"operation": operation, "status": status, "code": code, "after": after}
        self._control("fault", json.dumps({**fault, "carried_out": carried_out, "times": times}).encode())

    def clear(self) -> None:
        """Forget faults and calls."""
        self._control("clear", b"")

    def _control(self, what: str, body: bytes | None = None) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{self.address}/__test__/{what}", data=body)
        with urllib.request.urlopen(request, timeout=30) as response:
            found: list[dict[str, Any]] = json.loads(response.read())
            return found


def forget_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left that boto3 would find by itself on this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")


@contextmanager
def server(directory: Path) -> Iterator[Moto]:
    """A server that ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.moto_server", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    log = directory / "moto.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        moto = Moto(f"http://127.0.0.1:{port}")
        _wait(moto, process, log)
        yield moto
    finally:
        end(process)


def _wait(moto: Moto, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            moto.clear()
            return
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError(f"moto did not become ready:\n{log.read_text()[-4000:]}") from None
            time.sleep(0.05)
