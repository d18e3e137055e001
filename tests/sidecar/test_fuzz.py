"""Random bytes as request frames: every one is answered, and the sidecar lives."""

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store_plugin._proto.ess_pb2 import ApplySecretRequest, GetSecretRequest
from tests.support.raw import RawService, config, secret, typed
from tests.support.sidecar import SidecarProcess

METHODS = st.sampled_from(["GetSecret", "ApplySecret", "DeleteKeys"])
VALID = ApplySecretRequest(config=config("files"), secret=secret("fuzz/db", {"k": b"v"})).SerializeToString()
EXPECTED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
}
per_run = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def answer(service: RawService, method: str, frame: bytes) -> None:
    try:
        service.send(method, frame)
    except grpc.RpcError as error:
        assert typed(error).code.name in {code.name for code in EXPECTED}


@per_run
@given(method=METHODS, frame=st.binary(max_size=200))
def test_random_frames_get_an_answer(service: RawService, method: str, frame: bytes) -> None:
    answer(service, method, frame)


@per_run
@given(method=METHODS, position=st.integers(0, len(VALID) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_requests_get_an_answer(
    service: RawService, method: str, position: int, byte: int, cut: bool
) -> None:
    damaged = VALID[:position] + bytes([byte]) + (b"" if cut else VALID[position + 1 :])
    answer(service, method, damaged)


def test_the_sidecar_outlives_the_fuzz(service: RawService, sidecar: SidecarProcess) -> None:
    service.call(GetSecretRequest(config=config("files"), secret=secret("fuzz/other")))
    assert sidecar.process.poll() is None
    assert "call failed unexpectedly" not in sidecar.log
