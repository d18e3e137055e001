"""Creators and writers of one secret in two processes, held at each of their requests: what
was acknowledged stays, nothing is merged into what somebody else owns, and who crashed can
go on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import Conflict, InvalidRequest, NotOwner
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from stores.vault.kv import marks
from stores.vault.store import VaultStore
from tests.stores.vault.interleaving import Attempt, Gate
from tests.stores.vault.opening import engine_over, open_with_token, soon
from tests.stores.vault.test_races import Later
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError
from tests.support.proxy import Proxy

NAME = ScopedName.parse("team-a/db")
OLD = Secret({"old": b"1"}, {OWNER_LABEL: "uid-old", "old-label": "x"})
MINE = {OWNER_LABEL: "uid-1"}


@pytest.fixture
def mount(bao: OpenBao) -> str:
    return bao.mount_kv("v2")


@pytest.fixture
async def stores(bao: OpenBao, mount: str) -> AsyncIterator[list[VaultStore]]:
    stores = [await open_with_token(bao, mount) for _ in range(3)]
    yield stores
    for store in stores:
        await store.aclose()


@pytest.fixture
async def stores_without_patch(bao: OpenBao, mount: str) -> AsyncIterator[list[VaultStore]]:
    token = bao.token([bao.kv_policy(mount)])
    stores = [await open_with_token(bao, mount, token=token) for _ in range(3)]
    for number, store in enumerate(stores):
        # From now on they know.
        await engine_over(store).apply(
            ScopedName.parse(f"warm/up-{number}"), Secret({}, MINE), deadline=soon()
        )
    yield stores
    for store in stores:
        await store.aclose()


def raw(bao: OpenBao, mount: str) -> dict[str, str]:
    return bao.api("GET", f"{mount}/metadata/{NAME}")["data"]["custom_metadata"] or {}


async def bury(bao: OpenBao, mount: str, store: VaultStore, secret: Secret = OLD) -> None:
    await engine_over(store).apply(NAME, secret, deadline=soon())
    bao.api("DELETE", f"{mount}/data/{NAME}")


BEFORE = ["absent", "tombstone", "present"]
STEPS = {
    "absent": ["data", "metadata"],
    "tombstone": ["mark", "data", "metadata"],
    "present": ["data", "metadata"],
}
ALL_STEPS = [(before, step) for before in BEFORE for step in STEPS[before]]
WRITERS = [
    pytest.param("uid-1", id="same-owner"),
    pytest.param("uid-2", id="other-owner"),
    pytest.param("uid-old", id="owner-of-the-dead"),
    pytest.param(None, id="no-owner"),
]


async def prepare(before: str, bao: OpenBao, mount: str, store: VaultStore) -> None:
    if before == "tombstone":
        await bury(bao, mount, store)
    elif before == "present":
        await engine_over(store).apply(NAME, Secret({"a": b"1"}, MINE), deadline=soon())


async def interleave(stores: list[VaultStore], turn: int, owner: str | None, policy: OwnershipPolicy) -> None:
    """One writer is held before a request; another one does all it can; then the first goes on."""
    first, second = (Engine(store, Rules(policy), LocationLocks()) for store in stores[:2])
    gate = Gate(stores[0], turn)
    held, other = Attempt(first, NAME, "uid-1", "held"), Attempt(second, NAME, owner, "other")
    task = asyncio.create_task(held.run())
    await gate.reached()
    await other.run(0.2)
    gate.open()
    await task
    stored = (await stores[2].read(NAME)).secret
    assert "old" not in stored.data
    assert "old-label" not in stored.metadata
    assert not marks.MARKS & stored.metadata.keys()
    assert held.error is None or other.error is None
    for attempt in (held, other):
        attempt.check(stored, adopted=policy is OwnershipPolicy.ADOPT)


@pytest.mark.parametrize("policy", [OwnershipPolicy.ENFORCE, OwnershipPolicy.ADOPT])
@pytest.mark.parametrize("owner", WRITERS)
@pytest.mark.parametrize(("before", "step"), ALL_STEPS)
async def test_nothing_acknowledged_is_lost_and_nothing_foreign_is_touched(
    bao: OpenBao,
    mount: str,
    stores: list[VaultStore],
    before: str,
    step: str,
    owner: str | None,
    policy: OwnershipPolicy,
) -> None:
    await prepare(before, bao, mount, stores[2])
    await interleave(stores, STEPS[before].index(step) + 1, owner, policy)


@pytest.mark.parametrize("owner", WRITERS)
@pytest.mark.parametrize(
    ("before", "step"),
    # Two who give the same secret labels, or mark the same tombstone, need patch.
    [case for case in ALL_STEPS if case not in (("present", "metadata"), ("tombstone", "mark"))],
)
async def test_the_same_without_the_right_to_patch(
    bao: OpenBao,
    mount: str,
    stores_without_patch: list[VaultStore],
    before: str,
    step: str,
    owner: str | None,
) -> None:
    await prepare(before, bao, mount, stores_without_patch[2])
    await interleave(stores_without_patch, STEPS[before].index(step) + 1, owner, OwnershipPolicy.ENFORCE)


async def test_a_delete_by_an_owner_waits_for_the_creator(stores: list[VaultStore]) -> None:
    adopting = Engine(stores[1], Rules(OwnershipPolicy.ADOPT), LocationLocks())
    gate = Gate(stores[0], 2)
    creating = asyncio.create_task(
        engine_over(stores[0]).apply(NAME, Secret({"a": b"1"}, MINE), deadline=soon())
    )
    await gate.reached()
    with pytest.raises(Conflict):
        await adopting.delete(NAME, [], deadline=soon(0.2), owner="uid-2")
    gate.open()
    await creating
    with pytest.raises(NotOwner):
        await adopting.delete(NAME, [], deadline=soon(), owner="uid-2")


@pytest.mark.parametrize(("before", "step"), [case for case in ALL_STEPS if case[0] != "present"])
async def test_after_a_crash_its_owner_goes_on(
    bao: OpenBao, mount: str, stores: list[VaultStore], before: str, step: str
) -> None:
    await prepare(before, bao, mount, stores[2])
    request = Secret({"a": b"1"}, {**MINE, "label": "x"})
    await crash(stores[0], STEPS[before].index(step) + 1, request)
    if step == "metadata":
        with pytest.raises(Conflict):
            await engine_over(stores[1]).apply(NAME, request, deadline=soon(0.1))
    await engine_over(Later(stores[1])).apply(NAME, request, deadline=soon())
    assert (await stores[2].read(NAME)).secret == request


@pytest.mark.parametrize("owner", ["uid-2", "uid-old"])
@pytest.mark.parametrize("before", ["absent", "tombstone"])
async def test_after_a_crash_another_owner_is_refused(
    bao: OpenBao, mount: str, stores: list[VaultStore], before: str, owner: str
) -> None:
    await prepare(before, bao, mount, stores[2])
    await crash(stores[0], len(STEPS[before]), Secret({"a": b"1"}, MINE))
    request = Secret({"b": b"2"}, {OWNER_LABEL: owner})
    with pytest.raises(Conflict):
        await engine_over(stores[1]).apply(NAME, request, deadline=soon(0.1))
    with pytest.raises(NotOwner):
        await engine_over(Later(stores[1])).apply(NAME, request, deadline=soon())
    assert (await stores[2].read(NAME)).secret == Secret({"a": b"1"})


async def crash(store: VaultStore, turn: int, request: Secret) -> None:
    gate = Gate(store, turn)
    task = asyncio.create_task(engine_over(store).apply(NAME, request, deadline=soon()))
    await gate.reached()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gate.open()


async def test_an_unowned_write_after_a_crash_over_a_tombstone_can_get_labels(
    bao: OpenBao, mount: str, stores: list[VaultStore]
) -> None:
    await bury(bao, mount, stores[2])
    await crash(stores[0], 3, Secret({"a": b"1"}, MINE))
    engine = engine_over(Later(stores[1]))
    await engine.apply(NAME, Secret({"b": b"2"}), deadline=soon())
    assert (await engine.get(NAME)).secret == Secret({"a": b"1", "b": b"2"})
    await engine.apply(NAME, Secret({}, {"label": "x"}), deadline=soon())
    assert (await engine.get(NAME)).secret == Secret({"a": b"1", "b": b"2"}, {"label": "x"})


# The marks.


async def test_a_mark_that_comes_too_late_covers_nothing(
    bao: OpenBao, mount: str, stores: list[VaultStore]
) -> None:
    await bury(bao, mount, stores[0])
    await engine_over(stores[0]).apply(NAME, Secret({"a": b"1"}, MINE), deadline=soon())
    late = {**raw(bao, mount), marks.UNFINISHED: "2"}
    bao.api("POST", f"{mount}/metadata/{NAME}", {"custom_metadata": late})
    stored = await stores[0].read(NAME)
    assert (stored.secret.metadata, stored.unfinished_age) == (MINE, None)


async def test_a_tombstone_that_is_restored_keeps_its_metadata(
    bao: OpenBao, mount: str, stores: list[VaultStore]
) -> None:
    await bury(bao, mount, stores[2])
    await crash(stores[0], 2, Secret({"a": b"1"}, MINE))
    bao.api("POST", f"{mount}/undelete/{NAME}", {"versions": [1]})
    assert (await stores[1].read(NAME)).secret == OLD
    await engine_over(stores[1]).apply(NAME, Secret({"b": b"2"}, {OWNER_LABEL: "uid-old"}), deadline=soon())
    assert (await stores[1].read(NAME)).secret == Secret({**OLD.data, "b": b"2"}, OLD.metadata)


@pytest.mark.parametrize("mark", sorted(marks.MARKS))
async def test_nobody_writes_a_mark(stores: list[VaultStore], mark: str) -> None:
    with pytest.raises(InvalidRequest, match="reserved"):
        await engine_over(stores[0]).apply(NAME, Secret({"a": b"1"}, {mark: "1"}), deadline=soon())
    assert not (await stores[0].read(NAME)).present


@pytest.mark.parametrize("patch", [True, False], ids=["patch", "no-patch"])
async def test_as_much_metadata_as_fits_goes_over_as_much(
    bao: OpenBao,
    mount: str,
    stores: list[VaultStore],
    stores_without_patch: list[VaultStore],
    patch: bool,
) -> None:
    store = (stores if patch else stores_without_patch)[0]
    full = [{f"{tag}-{number}": "v" for number in range(64)} for tag in ("old", "new")]
    await bury(bao, mount, stores[2], Secret({"a": b"1"}, full[0]))
    await engine_over(store).apply(NAME, Secret({"b": b"2"}, full[1]), deadline=soon())
    assert (await store.read(NAME)).secret == Secret({"b": b"2"}, full[1])


# What it costs.


@pytest.fixture
async def proxy(bao: OpenBao) -> AsyncIterator[Proxy]:
    async with Proxy(bao.address) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("old", "new", "requests"),
    [
        pytest.param(OLD, Secret({"a": b"1"}, MINE), 4, id="metadata-over-metadata"),
        pytest.param(OLD, Secret({"a": b"1"}), 4, id="none-over-metadata"),
        pytest.param(Secret({"old": b"1"}), Secret({"a": b"1"}, MINE), 4, id="metadata-over-none"),
        pytest.param(Secret({"old": b"1"}), Secret({"a": b"1"}), 2, id="none-over-none"),
    ],
)
async def test_requests_over_a_tombstone(
    bao: OpenBao, mount: str, stores: list[VaultStore], proxy: Proxy, old: Secret, new: Secret, requests: int
) -> None:
    await bury(bao, mount, stores[0], old)
    store = await open_with_token(bao, mount, server=proxy.address)
    await store.read(ScopedName.parse("log/in"))
    proxy.requests.clear()
    await engine_over(store).apply(NAME, new, deadline=soon())
    assert len(proxy.requests) == requests
    assert (await store.read(NAME)).secret == new
    await store.aclose()


async def test_that_patch_is_denied_is_found_out_once(bao: OpenBao, mount: str, proxy: Proxy) -> None:
    token = bao.token([bao.policy({f"{mount}/*": ("create", "read", "update", "delete")})])
    store = await open_with_token(bao, mount, token=token, server=proxy.address)
    engine = engine_over(store)
    await engine.apply(NAME, Secret({"a": b"1"}, MINE), deadline=soon())
    assert proxy.count("PATCH") == 1
    proxy.requests.clear()
    await engine.apply(NAME, Secret({"a": b"1"}, {**MINE, "label": "x"}), deadline=soon())
    assert (proxy.count("PATCH"), len(proxy.requests)) == (0, 3)
    assert (await engine.get(NAME)).secret.metadata == {**MINE, "label": "x"}
    await store.aclose()


async def test_metadata_for_a_secret_that_was_removed_meanwhile_leaves_nothing(
    bao: OpenBao, mount: str, stores: list[VaultStore]
) -> None:
    gate = Gate(stores[0], 2)
    creating = asyncio.create_task(
        engine_over(stores[0]).apply(NAME, Secret({"a": b"1"}, MINE), deadline=soon())
    )
    await gate.reached()
    await stores[1].delete(NAME, base=await stores[1].read(NAME))
    gate.open()
    await creating
    with pytest.raises(ApiError, match="404"):
        raw(bao, mount)
