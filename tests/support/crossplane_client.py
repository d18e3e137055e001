"""Crossplane's own client, as released in 1.20: `tests/interop/main.go` as a process."""

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from store_plugin.model import OWNER_LABEL
from tests.support import manifests
from tests.support.processes import reap
from tests.support.tools import tool


@dataclass(frozen=True)
class Answer:
    """What Crossplane would learn."""

    changed: bool
    data: Mapping[str, bytes]
    labels: Mapping[str, str]
    error: str
    code: str


class Crossplane:
    """The client program; each call is one line to it and one back."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin and process.stdout
        self._input: IO[str] = process.stdin
        self._output: IO[str] = process.stdout

    def write(
        self, name: str, data: Mapping[str, bytes], owner: str | None = None, scope: str = ""
    ) -> Answer:
        labels = {OWNER_LABEL: owner} if owner else {}
        encoded = {key: b64encode(value).decode() for key, value in data.items()}
        return self._call(op="write", scope=scope, name=name, data=encoded, labels=labels)

    def read(self, name: str, scope: str = "") -> Answer:
        return self._call(op="read", scope=scope, name=name)

    def delete(self, name: str, scope: str = "") -> Answer:
        return self._call(op="delete", scope=scope, name=name)

    def _call(self, **request: object) -> Answer:
        self._input.write(json.dumps(request) + "\n")
        self._input.flush()
        line = self._output.readline()
        assert line, "the client has ended"
        answer = json.loads(line)
        data = {key: b64decode(value) for key, value in (answer["data"] or {}).items()}
        return Answer(answer["changed"], data, answer["labels"] or {}, answer["error"], answer["code"])


@contextmanager
def crossplane_client(endpoint: str, host: str, certs: Path, config: str) -> Iterator[Crossplane]:
    """Calls `endpoint` as if that were `host`, for the config `KIND/NAME`, with the certificates in
    the directory `certs`."""
    kind, _, name = config.partition("/")
    command = [str(tool("crossplane-client")), endpoint, host, str(certs)]
    command += [manifests.GROUP_VERSION, kind, name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Crossplane(process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """It ends with its input."""
    assert process.stdin and process.stdout
    process.stdin.close()
    reap(process)
    process.stdout.close()
