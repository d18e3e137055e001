"""Callers without a token: refused, told of in the log, and never allowed to fill it."""

import resource
import time
from pathlib import Path

import grpc
import pytest

from store_plugin._proto.ess_pb2 import GetSecretRequest
from tests.support.raw import SERVICE_NAMES, RawService, channel_to, config, secret
from tests.support.sidecar import running_sidecar

CALLS = 1000


def test_strangers_do_not_fill_the_log(config_dir: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    asked = GetSecretRequest(config=config("files"), secret=secret("team-a/db")).SerializeToString()
    with running_sidecar(config_dir, "--client-token-file", str(token)) as sidecar:
        begun = time.monotonic()
        with channel_to(sidecar.endpoint) as channel:
            service = RawService(channel, SERVICE_NAMES[0])
            for _ in range(CALLS):
                with pytest.raises(grpc.RpcError):
                    service.send("GetSecret", asked)
        lines = [line for line in sidecar.log.splitlines() if "call refused" in line]
        most = 101 + 20 * (time.monotonic() - begun)
    assert 100 <= len(lines) <= min(most, CALLS)


def test_a_crash_leaves_no_dump_with_what_was_in_memory(config_dir: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with running_sidecar(config_dir) as sidecar:
            soft, _ = resource.prlimit(sidecar.process.pid, resource.RLIMIT_CORE)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert soft == 0
