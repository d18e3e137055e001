"""Programs in Go that speak the frames of operator-plugin-framework and know nothing of ours, in
both directions: as a plugin of our hub, and as the operator of our SDK. `opf/` has them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

from store_plugin.plugin import Plugin
from tests.hub.bench import hub_bench
from tests.hub.conftest import running
from tests.support.processes import program_beside, stop
from tests.support.tools import tool
from tests.support.waiting import until

RENEWER = Path(__file__).parents[2] / "examples" / "token-renewer"


@pytest.fixture(scope="module")
def generated() -> Any:
    """The generated code of the example: messages, and stubs."""
    sys.path.insert(0, str(RENEWER))
    try:
        import token_provider_pb2
        import token_provider_pb2_grpc

        yield token_provider_pb2, token_provider_pb2_grpc
    finally:
        sys.path.remove(str(RENEWER))


Generated = tuple[ModuleType, ModuleType]


@asynccontextmanager
async def go_plugin(tmp_path: Path, generated: Generated) -> AsyncIterator[tuple[Any, Any]]:
    """A hub with the Go plugin connected: the hub, and a stub."""
    async with hub_bench(f"unix://{tmp_path}/hub.sock") as bench:
        command = [str(tool("opf-peer")), "plugin", bench.endpoint, "linode"]
        async with program_beside(command, tmp_path / "plugin.log"):
            await asyncio.wait_for(bench.hub.plugin("linode").channel_ready(), 20)
            yield bench.hub, generated[1].TokenProviderServiceStub(bench.hub.plugin("linode"))


async def test_a_go_plugin_is_called_with_generated_stubs(tmp_path: Path, generated: Generated) -> None:
    messages, _ = generated
    async with go_plugin(tmp_path, generated) as (hub, stub):
        answer = await stub.RenewToken(messages.RenewTokenRequest(token="old", metadata="7"))
        assert (answer.token, answer.new_metadata) == ("renewed old", "7")
        validity = await stub.GetTokenValidity(messages.GetTokenValidityRequest())
        assert validity.expiration.seconds == 1_900_000_000
        (entry,) = hub.registry.entries()
        assert (entry.peer.version, entry.peer.legacy) == ("v0.1.0", True)


async def test_its_errors_fail_their_own_calls_and_no_other(tmp_path: Path, generated: Generated) -> None:
    """An error names no call: with many callers at once each gets its own all the same."""
    messages, _ = generated

    async def outcome(stub: Any, token: str) -> str:
        try:
            answer = await stub.RenewToken(messages.RenewTokenRequest(token=token), timeout=30)
            return str(answer.token)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"

    async with go_plugin(tmp_path, generated) as (_, stub):
        asked = [f"t{number}" if number % 3 else "refused" for number in range(60)]
        told = await asyncio.gather(*(outcome(stub, token) for token in asked))
        refused = "UNKNOWN: the service refuses this token"
        assert told == [refused if token == "refused" else f"renewed {token}" for token in asked]


async def test_an_unknown_method_is_unimplemented(tmp_path: Path, generated: Generated) -> None:
    async with go_plugin(tmp_path, generated) as (hub, _):
        call = hub.plugin("linode").unary_unary("/any.Service/Missing")(b"")
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "unknown method" in await call.details()


async def test_a_caller_that_gave_up_costs_the_next_one_nothing(tmp_path: Path, generated: Generated) -> None:
    messages, _ = generated
    async with go_plugin(tmp_path, generated) as (hub, stub):
        late = stub.RenewToken(messages.RenewTokenRequest(token="slow"), timeout=0.1)
        assert await late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        answer = await stub.RenewToken(messages.RenewTokenRequest(token="next"), timeout=20)
        assert answer.token == "renewed next"
        assert len(hub.registry) == 1


async def test_a_go_plugin_that_is_killed_is_gone(tmp_path: Path, generated: Generated) -> None:
    messages, _ = generated
    async with hub_bench(f"unix://{tmp_path}/hub.sock") as bench:
        command = [str(tool("opf-peer")), "plugin", bench.endpoint, "linode"]
        async with program_beside(command, tmp_path / "plugin.log") as process:
            await asyncio.wait_for(bench.hub.plugin("linode").channel_ready(), 20)
            stub = generated[1].TokenProviderServiceStub(bench.hub.plugin("linode"))
            stop(process.pid)  # it answers nothing any more
            call = stub.RenewToken(messages.RenewTokenRequest(token="any"), timeout=60)
            await until(lambda: bench.hub.registry.entries()[0].instance.in_flight)
            process.kill()
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            await until(lambda: len(bench.hub.registry) == 0)


class GoOperator:
    """The operator program; lines to it and from it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self._input, self._output = process.stdin, process.stdout

    async def says(self) -> dict[str, str]:
        line = await asyncio.wait_for(self._output.readline(), 20)
        found: dict[str, str] = json.loads(line)
        return found

    async def call(
        self, token: str, method: str = "RenewToken", milliseconds: int = 10_000
    ) -> dict[str, str]:
        request = {"method": method, "token": token, "milliseconds": milliseconds}
        self._input.write(json.dumps(request).encode() + b"\n")
        return await self.says()


@asynccontextmanager
async def go_operator(tmp_path: Path, generated: Generated) -> AsyncIterator[GoOperator]:
    """The Go operator, with a plugin of our SDK connected."""
    messages, grpc_code = generated

    class Provider(grpc_code.TokenProviderServiceServicer):  # type: ignore[name-defined,misc]
        async def RenewToken(self, request: Any, context: Any) -> Any:
            if request.token == "slow":
                await asyncio.sleep(0.4)
            if request.token == "refused":
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not this one")
            return messages.RenewTokenResponse(token=f"renewed {request.token}")

    plugin = Plugin("python", "1.0")
    grpc_code.add_TokenProviderServiceServicer_to_server(Provider(), plugin)
    endpoint = f"unix://{tmp_path}/operator.sock"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(tool("opf-peer")), "operator", endpoint, stdin=pipe, stdout=pipe
    )
    try:
        async with running(plugin, endpoint):
            operator = GoOperator(process)
            assert await operator.says() == {"registered": "python"}
            yield operator
    finally:
        process.kill()
        await process.wait()


async def test_our_sdk_serves_a_go_operator(tmp_path: Path, generated: Generated) -> None:
    async with go_operator(tmp_path, generated) as operator:
        for method in ("RenewToken", "/barpilot.token_renewer.v1.TokenProviderService/RenewToken"):
            assert await operator.call("old", method) == {"token": "renewed old"}


async def test_a_failure_costs_the_go_operator_one_call(tmp_path: Path, generated: Generated) -> None:
    """It hears of no error and waits for its own deadline; the stream lives."""
    async with go_operator(tmp_path, generated) as operator:
        assert await operator.call("refused", milliseconds=300) == {"error": "context deadline exceeded"}
        assert await operator.call("next") == {"token": "renewed next"}


async def test_our_sdk_comes_back_when_the_go_operator_tears_the_stream_down(
    tmp_path: Path, generated: Generated
) -> None:
    """A late reply is the end of the stream there."""
    async with go_operator(tmp_path, generated) as operator:
        assert await operator.call("slow", milliseconds=50) == {"error": "context deadline exceeded"}
        assert await operator.says() == {"registered": "python"}
        assert await operator.call("again") == {"token": "renewed again"}
