"""Replicas behind one address are replaced one by one, and back, under calls: none is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from store_plugin.client import AsyncClient
from store_plugin.errors import StorePluginError
from tests.support import manifests
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao
from tests.support.ports import free_port
from tests.support.service import Service
from tests.support.sidecar import SidecarProcess, running_sidecar

pytestmark = pytest.mark.timeout(300)  # many processes, one after the other
CALLERS = 8
REPLICAS = 2


@pytest.fixture
def place(bao: OpenBao, ca: CertificateAuthority, tmp_path: Path) -> Path:
    """Configs and certificates of every replica, and those of a caller."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "token").write_text(bao.root_token)
    token = {"method": "Token", "token": manifests.from_file(tmp_path / "token")}
    spec = {"server": bao.address, "mountPath": "secret", "version": "v2", "auth": token}
    manifests.write(tmp_path / "configs", "VaultConfig", "vault", spec)
    ca.server().write(tmp_path / "server")
    ca.client("caller").write(tmp_path / "caller")
    return tmp_path


class Replica:
    """One Pod: its sidecar, and its place in the Service."""

    def __init__(self, sidecar: SidecarProcess, port: int, service: Service) -> None:
        self._sidecar = sidecar
        self._port = port
        self._service = service
        service.ports.add(port)

    async def end(self) -> int:
        """As Kubernetes ends a Pod: the signal first, and a moment later nobody is sent there."""
        self._sidecar.process.terminate()
        while (await asyncio.to_thread(self._ready)) and self._sidecar.process.poll() is None:
            await asyncio.sleep(0.01)
        self._service.ports.discard(self._port)
        return await asyncio.to_thread(self._sidecar.wait)

    def _ready(self) -> bool:
        try:
            return self._sidecar.http("/readyz").startswith("ok")
        except OSError:
            return False


@asynccontextmanager
async def replica(place: Path, service: Service) -> AsyncIterator[Replica]:
    port = free_port()
    options = ("--certs-dir", str(place / "server"))
    started = running_sidecar(place / "configs", *options, listen=[f"127.0.0.1:{port}"])
    sidecar = await asyncio.to_thread(started.__enter__)
    try:
        yield Replica(sidecar, port, service)
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)


class Traffic:
    """Callers that write and read back a secret of their own, until they are stopped."""

    def __init__(self, address: str, certs: Path) -> None:
        self.calls = 0
        self.failures: list[StorePluginError] = []
        self._address = address
        self._certs = certs
        self._stop = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(self._call(f"rolling/{number}"))

    def stop(self) -> None:
        self._stop.set()

    async def more(self, count: int = 50) -> None:
        enough = self.calls + count
        async with asyncio.timeout(30):
            while self.calls < enough:
                await asyncio.sleep(0.01)

    async def _call(self, name: str) -> None:
        written = 0
        async with AsyncClient(self._address, certs_dir=self._certs) as client:
            while not self._stop.is_set():
                written += 1
                try:
                    await client.apply("VaultConfig/vault", name, {"n": b"%d" % written})
                    assert (await client.get("VaultConfig/vault", name)).data == {"n": b"%d" % written}
                except StorePluginError as error:
                    self.failures.append(error)
                self.calls += 1


async def test_replicas_are_replaced_and_no_call_is_lost(place: Path) -> None:
    async with Service() as service, AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        running = [await stack.enter_async_context(replica(place, service)) for _ in range(REPLICAS)]
        traffic = Traffic(service.address, place / "caller")
        group.create_task(traffic.run())
        try:
            for _ in range(2):  # forth, and back
                for _ in range(REPLICAS):
                    await traffic.more()
                    running.append(await stack.enter_async_context(replica(place, service)))
                    await traffic.more()
                    assert await running.pop(0).end() == 0
            await traffic.more()
        finally:
            traffic.stop()
    assert traffic.failures == []
