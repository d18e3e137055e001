"""Tokens and certificates over the wire: who gets one, who gets in with one, and who does not."""

import gc
import weakref
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from store_plugin import enrolment
from store_plugin._proto import lifecycle_pb2 as proto
from store_plugin.enrolment import PluginInstance
from store_plugin.lifecycle.enrolment import record
from store_plugin.lifecycle.enrolment.authority import Authority
from store_plugin.stream import frames
from store_plugin.stream.features import ALL
from tests.lifecycle.enrolment.bench import DIGEST, Bench, channel, enrolment_bench
from tests.lifecycle.enrolment.conftest import HandClock, request
from tests.support.certificates import private_pem
from tests.support.waiting import until

Code = grpc.StatusCode


@pytest.fixture
async def bench(tmp_path: Path, clock: HandClock) -> AsyncIterator[Bench]:
    async with enrolment_bench(tmp_path, clock=clock) as bench:
        yield bench


class Member:
    """A plugin with a key of its own, which does each step by hand."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate, self.trusted = b"", b""

    async def enrol(self, name: str = "echo", instance: str = "i1") -> proto.EnrolResponse:
        token = self._bench.tokens.issue(name, instance, DIGEST)
        response = await self._bench.enrol(token, name, request(self.key))
        self.certificate, self.trusted = response.certificate_pem, response.ca_pem
        return response

    def channel(self) -> grpc.aio.Channel:
        shown = grpc.ssl_channel_credentials(self.trusted, private_pem(self.key), self.certificate)
        return channel(self._bench.hub.endpoints[0], shown)

    async def renew(self, csr: bytes | None = None) -> proto.RenewResponse:
        asked = proto.RenewRequest(csr_pem=request(self.key) if csr is None else csr)
        async with self.channel() as opened:
            method = opened.unary_unary(enrolment.RENEW, None, proto.RenewResponse.FromString)
            response: proto.RenewResponse = await method(asked.SerializeToString(), timeout=10)
            return response

    async def knock(self) -> None:
        async with self.channel() as opened:
            await opened.unary_unary("/grpc.health.v1.Health/Check", None, None)(b"", timeout=10)

    async def register(self, name: str = "echo", instance: str = "i1") -> frames.Frame:
        """The hub's first frame. AioRpcError."""
        async with self.channel() as opened:
            stream = opened.stream_stream(
                frames.METHOD_PATH, frames.Frame.SerializeToString, frames.Frame.FromString
            )(timeout=10)
            await stream.write(frames.register(name, "1.0", instance_id=instance, features=ALL))
            found = await stream.read()
            if found is grpc.aio.EOF or found.WhichOneof("payload") != "registered":
                while await stream.read() is not grpc.aio.EOF:
                    pass
                raise grpc.aio.AioRpcError(await stream.code(), None, None, await stream.details())
            return found


@pytest.fixture
def member(bench: Bench) -> Member:
    return Member(bench)


async def test_a_token_gets_a_certificate_that_gets_in(bench: Bench, member: Member) -> None:
    response = await member.enrol()
    assert response.hub_endpoint == str(bench.hub.endpoints[0])
    assert response.instance_id == "i1"
    await member.knock()
    assert (await member.register()).registered.instance_id == "i1"
    assert '"event":"enrol","plugin":"echo"' in bench.events()[-1]
    assert DIGEST in bench.events()[-1]


async def test_a_used_token_is_refused_and_recorded(bench: Bench) -> None:
    token = bench.tokens.issue("echo", "i1", DIGEST)
    await bench.enrol(token)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await bench.enrol(token)
    assert refusal.value.code() is Code.UNAUTHENTICATED
    assert '"event":"refuse-token","plugin":"echo"' in bench.events()[-1]
    assert "used before" in bench.events()[-1]
    assert token not in "".join(bench.events())


@pytest.mark.parametrize(
    ("token", "name"),
    [("", "echo"), ("a.b.c", "echo"), ("x" * 60_000, "echo"), ("a.b.c", "e" * 5000 + "\n\u2028")],
    ids=["none", "forged", "long", "odd name"],
)
async def test_a_forged_token_is_refused_and_recorded(bench: Bench, token: str, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await bench.enrol(token, name)
    assert refusal.value.code() is Code.UNAUTHENTICATED
    assert len(bench.events()) == 1
    assert len(bench.events()[0]) < 500
    bench.audit.verify()


async def test_nothing_of_its_server_is_left_for_the_end_of_the_process(bench: Bench) -> None:
    """gRPC would wait two seconds there."""
    server = weakref.ref(bench.server._server)
    gc.disable()
    try:
        await bench.server.stop()
        await until(lambda: server() is None)
    finally:
        gc.enable()


async def test_a_compressed_request_is_refused_before_it_is_taken_apart(bench: Bench) -> None:
    trusted = grpc.ssl_channel_credentials(bench.server.ca_file.read_bytes())
    async with channel(bench.server.endpoint, trusted) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            unpacked, compression = bytes(4 * 1024 * 1024), grpc.Compression.Gzip
            await opened.unary_unary(enrolment.ENROL)(unpacked, timeout=10, compression=compression)
    assert refusal.value.code() is Code.UNIMPLEMENTED


async def test_a_request_too_large_to_be_one_is_refused(bench: Bench) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await bench.enrol("x" * 100_000)
    assert refusal.value.code() is Code.RESOURCE_EXHAUSTED


async def test_a_token_of_another_plugin_is_refused(bench: Bench) -> None:
    bench.enabled.add("vault")
    token = bench.tokens.issue("vault", "i1", DIGEST)
    with pytest.raises(grpc.aio.AioRpcError, match="another plugin"):
        await bench.enrol(token, "echo")


async def test_a_token_of_a_plugin_that_was_disabled_is_refused(bench: Bench) -> None:
    token = bench.tokens.issue("echo", "i1", DIGEST)
    bench.enabled.clear()
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await bench.enrol(token)
    assert refusal.value.code() is Code.PERMISSION_DENIED


async def test_a_flood_of_forged_tokens_is_recorded_in_part_and_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "MOST_REFUSALS", 3)
    monkeypatch.setattr(record, "_MINUTE", 1e9)
    for _ in range(8):
        with pytest.raises(grpc.aio.AioRpcError):
            await bench.enrol("forged")
    assert len(bench.events()) == 3
    monkeypatch.setattr(record, "_MINUTE", 0.0)
    with pytest.raises(grpc.aio.AioRpcError):
        await bench.enrol("forged")
    assert '"not_recorded":5' in bench.events()[-1]


async def test_a_certificate_is_renewed_with_itself(bench: Bench, member: Member) -> None:
    await member.enrol()
    first = member.certificate
    response = await member.renew()
    assert response.certificate_pem != first
    member.certificate = response.certificate_pem
    await member.knock()
    assert '"event":"renew","plugin":"echo"' in bench.events()[-1]


async def test_a_renewal_changes_no_name(bench: Bench, member: Member) -> None:
    await member.enrol()
    response = await member.renew(request(member.key, subject="vault", names=("vault.plugin",)))
    member.certificate = response.certificate_pem
    bench.enabled.add("vault")
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await member.register("vault")
    assert refusal.value.code() is Code.PERMISSION_DENIED


async def test_a_bad_renewal_is_refused_and_recorded(bench: Bench, member: Member) -> None:
    await member.enrol()
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await member.renew(b"no request")
    assert refusal.value.code() is Code.INVALID_ARGUMENT
    assert '"event":"refuse-renewal"' in bench.events()[-1]


async def test_the_certificate_of_a_removed_plugin_opens_nothing(bench: Bench, member: Member) -> None:
    await member.enrol()
    bench.enabled.clear()
    for attempt in (member.knock, member.register, member.renew):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await attempt()
        assert refusal.value.code() is Code.PERMISSION_DENIED, attempt
    assert {event.split('"event":"')[1].split('"')[0] for event in bench.events()} == {
        "enrol",
        "refuse-certificate",
        "refuse-renewal",
    }


async def test_a_copied_key_is_worth_no_renewal_when_its_process_has_ended(
    bench: Bench, member: Member
) -> None:
    await member.enrol()
    bench.ended.add("i1")
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await member.renew()
    assert refusal.value.code() is Code.PERMISSION_DENIED
    assert "instance i1 of plugin echo runs no more" in bench.events()[-1]


async def test_a_certificate_is_for_one_name_and_one_instance(bench: Bench, member: Member) -> None:
    await member.enrol()
    bench.enabled.add("vault")
    for name, instance in (("vault", "i1"), ("echo", "i2")):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await member.register(name, instance)
        assert refusal.value.code() is Code.PERMISSION_DENIED
    assert '"event":"refuse-name","plugin":"vault"' in bench.events()[-1]
    assert (await member.register(instance="")).registered.instance_id == "i1"


async def test_a_certificate_of_another_authority_opens_nothing(
    bench: Bench, member: Member, tmp_path: Path
) -> None:
    await member.enrol()
    directory = tmp_path / "other"
    directory.mkdir(mode=0o700)
    other = Authority(directory).issue(PluginInstance("echo", "i1"), request(member.key))
    member.certificate = other.certificate
    for attempt in (member.knock, member.register, member.renew):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await attempt()
        assert refusal.value.code() is Code.UNAVAILABLE, attempt


async def test_nobody_gets_in_without_a_certificate(bench: Bench) -> None:
    root = bench.server.ca_file.read_bytes()
    async with channel(bench.hub.endpoints[0], grpc.ssl_channel_credentials(root)) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await opened.unary_unary(enrolment.RENEW, None, None)(b"", timeout=10)
    assert refusal.value.code() is Code.UNAVAILABLE


async def test_a_certificate_that_has_ended_opens_nothing(bench: Bench, member: Member) -> None:
    await member.enrol()
    names, life = ("echo.plugin", "store-plugin://echo/i1"), timedelta(hours=-1)
    ended, key = bench.test_authority.issue(names, client=True, life=life)
    assert await opened_with(bench, member, ended, key) is Code.UNAVAILABLE


async def test_a_certificate_that_names_no_instance_is_refused(bench: Bench, member: Member) -> None:
    await member.enrol()
    certificate, key = bench.test_authority.issue(("echo.plugin",), client=True)
    assert await opened_with(bench, member, certificate, key) is Code.UNAUTHENTICATED


async def opened_with(bench: Bench, member: Member, certificate: bytes, key: bytes) -> grpc.StatusCode:
    """How the hub answers who shows this."""
    shown = grpc.ssl_channel_credentials(member.trusted, key, certificate)
    async with channel(bench.hub.endpoints[0], shown) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await opened.unary_unary("/grpc.health.v1.Health/Check", None, None)(b"", timeout=10)
    return refusal.value.code()


async def test_no_plugin_can_pose_as_the_hub(member: Member) -> None:
    await member.enrol()
    server = grpc.aio.server()
    shown = [(private_pem(member.key), member.certificate)]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(shown))
    await server.start()
    try:
        options = [("grpc.ssl_target_name_override", "echo.plugin")]
        trusting = grpc.ssl_channel_credentials(member.trusted)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", trusting, options) as opened:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await opened.unary_unary("/a/b", None, None)(b"", timeout=10)
        assert refusal.value.code() is Code.UNAVAILABLE
    finally:
        await server.stop(None)


async def test_who_enrolled_before_a_new_key_still_gets_in_and_so_does_who_comes_after(
    bench: Bench, member: Member
) -> None:
    await member.enrol()
    bench.authority.rotate()
    await member.knock()
    later = Member(bench)
    await later.enrol(instance="i2")
    await later.knock()
    response = await member.renew()
    member.certificate, member.trusted = response.certificate_pem, response.ca_pem
    await member.knock()
