"""A compressed message is refused before it is taken apart: little on the wire may be much in memory."""

from pathlib import Path

import grpc
import pytest

from tests.support.raw import SERVICE_NAMES, channel_to
from tests.support.sidecar import SidecarProcess

UNPACKED = 256 * 1024 * 1024


@pytest.mark.parametrize(
    "method", [f"{name}/GetSecret" for name in SERVICE_NAMES] + ["grpc.health.v1.Health/Check"]
)
def test_what_would_unpack_to_much_costs_nothing(sidecar: SidecarProcess, method: str) -> None:
    before = most_memory(sidecar)
    with channel_to(sidecar.endpoint) as channel:
        call = channel.unary_unary(f"/{method}")
        with pytest.raises(grpc.RpcError) as refused:
            call(bytes(UNPACKED), timeout=100, compression=grpc.Compression.Gzip)
    assert isinstance(refused.value, grpc.Call)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert most_memory(sidecar) - before < UNPACKED / 4
    assert sidecar.process.poll() is None


def most_memory(sidecar: SidecarProcess) -> int:
    """Bytes that the process has held at most until now."""
    status = Path(f"/proc/{sidecar.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024
