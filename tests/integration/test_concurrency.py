"""Writers of one secret at once: through one sidecar all succeed on every store; through
two, no acknowledged key is lost where the store has compare-and-set."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import pytest

from store_plugin.client import Client
from tests.integration.conftest import STORES, WITH_COMPARE_AND_SET, World
from tests.support.sidecar import SidecarProcess, running_sidecar

WRITERS = 16
ROUNDS = 20


@pytest.fixture(scope="module")
def other_sidecar(world: World) -> Iterator[SidecarProcess]:
    with running_sidecar(world.configs) as process:
        yield process


def write_at_once(endpoints: list[str], config: str, name: str, owner: str | None = None) -> dict[str, bytes]:
    """Each writer applies a key of its own over a connection of its own; what was acknowledged."""
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS) as threads:
        clients = [stack.enter_context(Client(endpoints[n % len(endpoints)])) for n in range(WRITERS)]
        written = {f"key-{n}": b"value-%d" % n for n in range(WRITERS)}

        def write(client: Client, key: str) -> bool:
            return client.apply(config, name, {key: written[key]}, owner=owner).changed

        assert all(threads.map(write, clients, written))
        return written


@pytest.mark.parametrize("config", STORES)
def test_sixteen_of_sixteen_succeed_through_one_sidecar(
    sidecar: SidecarProcess, client: Client, config: str
) -> None:
    for _ in range(ROUNDS):
        name = f"race/{uuid4().hex}"
        written = write_at_once([sidecar.endpoint], config, name)
        assert dict(client.get(config, name).data) == written


@pytest.mark.parametrize("owner", [None, "uid-1"], ids=["unowned", "owned"])
@pytest.mark.parametrize("config", WITH_COMPARE_AND_SET)
def test_no_acknowledged_key_is_lost_through_two_sidecars(
    sidecar: SidecarProcess, other_sidecar: SidecarProcess, client: Client, config: str, owner: str | None
) -> None:
    for _ in range(ROUNDS):
        name = f"race/{uuid4().hex}"
        written = write_at_once([sidecar.endpoint, other_sidecar.endpoint], config, name, owner)
        fetched = client.get(config, name)
        assert dict(fetched.data) == written
        assert fetched.owner == owner


def test_no_acknowledged_key_is_lost_on_a_soft_deleted_secret(
    sidecar: SidecarProcess, other_sidecar: SidecarProcess, client: Client, world: World
) -> None:
    for _ in range(ROUNDS):
        name = f"race/{uuid4().hex}"
        client.apply("VaultConfig/v2", name, {"old": b"1"})
        world.bao.api("DELETE", f"{world.mounts['v2']}/data/{name}")
        written = write_at_once([sidecar.endpoint, other_sidecar.endpoint], "VaultConfig/v2", name)
        assert dict(client.get("VaultConfig/v2", name).data) == written


def test_deletes_and_applies_at_once_leave_what_the_last_apply_acknowledged(
    sidecar: SidecarProcess, other_sidecar: SidecarProcess, client: Client
) -> None:
    """Keys deleted by one writer, others applied by another: neither undoes the other."""
    name = f"race/{uuid4().hex}"
    old = {f"old-{n}": b"x" for n in range(WRITERS)}
    client.apply("VaultConfig/v2", name, old)
    with Client(other_sidecar.endpoint) as other, ThreadPoolExecutor(WRITERS) as threads:
        removals = [threads.submit(client.delete_keys, "VaultConfig/v2", name, [key]) for key in old]
        applies = [
            threads.submit(other.apply, "VaultConfig/v2", name, {f"new-{n}": b"y"}) for n in range(WRITERS)
        ]
        for future in [*removals, *applies]:
            future.result()
    assert dict(client.get("VaultConfig/v2", name).data) == {f"new-{n}": b"y" for n in range(WRITERS)}
