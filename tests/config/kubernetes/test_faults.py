"""What happens to an API server and to our rights on it, while the last good state serves."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from store_plugin.cluster_api import ClusterApi
from store_plugin.config.kubernetes.pauses import Pauses
from store_plugin.config.kubernetes.requests import Collection, Event
from store_plugin.config.kubernetes.watch import Watch
from store_plugin.crds.definition import VERSION_ANNOTATION
from tests.config.kubernetes.conftest import (
    Followed,
    Shelves,
    from_secret,
    source_of,
    until,
    write_secret,
)
from tests.support.fakes import RecordingLog
from tests.support.kubernetes import Cluster
from tests.support.proxy import Proxy

BURST = 1000


async def test_an_api_server_that_restarts_is_followed_again(followed: Followed, shelves: Shelves) -> None:
    cluster = shelves.cluster
    namespace = cluster.namespace()
    write_secret(cluster, namespace, "login", token="one")
    shelves.write("a", keys=[from_secret(namespace, "login")])
    async with followed.running():
        await asyncio.to_thread(cluster.crash)
        try:
            await until(lambda: len(followed.source.problems) == 3)
            assert not followed.synced
            assert followed.source.state.behind > 0
            assert "the API server gave no answer" in followed.source.problems[0].message
            assert followed.server("a") == "https://one"
            config = followed.config("a")
            assert config is not None
            assert config.credentials.get("keys.0") == b"one"
        finally:
            await asyncio.to_thread(cluster.start)
        shelves.write("a", "https://two", keys=[from_secret(namespace, "login")])
        write_secret(cluster, namespace, "login", token="two")
        await until(lambda: followed.server("a") == "https://two")
        await until(lambda: followed.config("a").credentials.get("keys.0") == b"two")  # type: ignore[union-attr]
        await until(lambda: followed.synced and not followed.source.problems)
        assert followed.source.state.behind == 0
        lost, again = (followed.log.events().count(event) for event in ("watch lost", "watch goes on"))
        assert 3 <= lost <= 12  # each problem once, not each attempt
        assert again == 3


async def test_a_source_waits_for_an_api_server_that_is_away_at_the_start(
    shelves: Shelves, tmp_path: Path
) -> None:
    shelves.write("a")
    cluster = shelves.cluster
    await asyncio.to_thread(cluster.stop)
    try:
        async with source_of(shelves, cluster.kubeconfig(), tmp_path) as followed:
            loading = asyncio.create_task(followed.source.load())
            await until(lambda: len(followed.source.problems) == 2)
            assert not loading.done()
            assert not any(watch.known for watch in followed.source.state.watches)
            assert followed.table.unread(shelves.api_version, "ShelfConfig")
            await asyncio.to_thread(cluster.start)
            await asyncio.wait_for(loading, 30)
            assert followed.server("a") == "https://one"
            assert followed.table.unread(shelves.api_version, "ShelfConfig") is None
    finally:
        if not cluster.runs:
            cluster.start()


async def test_what_changed_while_the_store_forgot_is_listed_again(shelves: Shelves, tmp_path: Path) -> None:
    """Compacted, and restarted, so that the API server's own memory of older versions is gone."""
    cluster = shelves.cluster
    for name in ("a", "gone"):
        shelves.write(name)
    async with Proxy(cluster.address) as proxy:
        kubeconfig = cluster.kubeconfig()
        kubeconfig["clusters"][0]["cluster"]["server"] = proxy.address
        async with source_of(shelves, kubeconfig, tmp_path) as followed, followed.running():
            proxy.silent = True
            proxy.drop()
            shelves.write("a", "https://two")
            shelves.write("b")
            shelves.delete("gone")
            await asyncio.to_thread(_forget, cluster)
            proxy.silent = False
            proxy.drop()
            await until(lambda: followed.server("a") == "https://two" and followed.server("b"))
            await until(lambda: followed.config("gone") is None)
            assert followed.generation("a") == 2


def _forget(cluster: Cluster) -> None:
    cluster.stop()
    cluster.compact()
    cluster.start()


async def test_a_watch_that_breaks_goes_on_where_it_stopped(shelves: Shelves, tmp_path: Path) -> None:
    cluster = shelves.cluster
    shelves.write("a")
    user = cluster.service_account(cluster.namespace())
    cluster.allow(user, [_rule(shelves)])
    async with Proxy(cluster.address) as proxy:
        kubeconfig = cluster.kubeconfig(cluster.token(user))
        kubeconfig["clusters"][0]["cluster"]["server"] = proxy.address
        async with source_of(shelves, kubeconfig, tmp_path) as followed, followed.running():
            with cluster.recorded(user) as requests:
                for number in range(5):
                    proxy.cut_answers = True
                    shelves.write("a", f"https://{number}")
                    await asyncio.sleep(0)
                    proxy.drop()
                    proxy.cut_answers = False
                    await until(lambda number=number: followed.server("a") == f"https://{number}")
            assert {request.verb for request in requests} == {"watch"}


def _rule(shelves: Shelves) -> dict[str, Any]:
    group = shelves.api_version.partition("/")[0]
    return {
        "apiGroups": [group],
        "resources": ["shelfconfigs", "otherconfigs"],
        "verbs": ["list", "watch"],
    }


async def test_a_thousand_changes_within_a_second_are_taken_in_order(
    followed: Followed, shelves: Shelves
) -> None:
    shelves.write("a")
    told: list[int] = []
    async with followed.running():
        followed.table.subscribe(lambda changed: told.append(len(changed)))
        await asyncio.to_thread(shelves.write_many, BURST)
        await until(
            lambda: all(followed.server(f"c{n}") == "https://two" for n in (0, BURST // 2, BURST - 1)), 60
        )
        await until(lambda: len(followed.table.all()) == BURST + 1)
        assert all(followed.server(f"c{n}") == "https://two" for n in range(BURST))
        assert followed.synced


async def test_rights_that_are_taken_away_are_told_and_the_configs_serve(
    shelves: Shelves, tmp_path: Path
) -> None:
    cluster = shelves.cluster
    shelves.write("a")
    user = cluster.service_account(cluster.namespace())
    binding = cluster.allow(user, [_rule(shelves)])
    async with Proxy(cluster.address) as proxy:
        kubeconfig = cluster.kubeconfig(cluster.token(user))
        kubeconfig["clusters"][0]["cluster"]["server"] = proxy.address
        async with source_of(shelves, kubeconfig, tmp_path) as followed, followed.running():
            assert followed.synced
            cluster.api("DELETE", binding)
            await until(lambda: _refused(followed, proxy))
            assert followed.server("a") == "https://one"
            cluster.allow(user, [_rule(shelves)])
            shelves.write("a", "https://two")
            await until(lambda: followed.server("a") == "https://two" and followed.synced)


def _refused(followed: Followed, proxy: Proxy) -> bool:
    """Whether both watches are; one that is open stays so until it ends."""
    if any(watch.synced for watch in followed.source.state.watches):
        proxy.drop()
    told = [problem.message for problem in followed.source.problems]
    return told == [
        f"this ServiceAccount may not watch {kind}s: add list and watch to its role"
        for kind in ("ShelfConfig", "OtherConfig")
    ]


async def test_a_source_without_any_right_says_so_and_loads(shelves: Shelves, tmp_path: Path) -> None:
    cluster = shelves.cluster
    token = cluster.token(cluster.service_account(cluster.namespace()))
    async with source_of(shelves, cluster.kubeconfig(token), tmp_path) as followed, followed.running():
        assert [problem.message for problem in followed.source.problems] == [
            f"this ServiceAccount may not list {kind}s: add list and watch to its role"
            for kind in ("ShelfConfig", "OtherConfig")
        ]
        unread = followed.table.unread(shelves.api_version, "ShelfConfig")
        assert unread is not None
        assert "add list and watch" in unread


async def test_a_token_that_is_refused_is_told(shelves: Shelves, tmp_path: Path) -> None:
    async with source_of(shelves, shelves.cluster.kubeconfig("wrong-token"), tmp_path) as followed:
        await followed.source.load()
        assert "does not accept the token" in followed.source.problems[0].message
        assert "wrong-token" not in followed.log.text


async def test_a_kind_without_a_crd_is_told_and_taken_once_there_is_one(
    undefined: Shelves, tmp_path: Path
) -> None:
    cluster = undefined.cluster
    shelf, other = undefined.definitions
    cluster.define(shelf.manifest())
    undefined.write("a")
    async with source_of(undefined, cluster.kubeconfig(), tmp_path) as followed, followed.running():
        assert followed.server("a") == "https://one"
        (problem,) = followed.source.problems
        assert problem.message.endswith("apply it: store-plugin crds OtherConfig --apply")
        cluster.define(other.manifest())
        undefined.write("b", kind="OtherConfig")
        await until(lambda: followed.server("b", "OtherConfig") and followed.synced)


async def test_a_crd_of_an_older_version_is_used_as_far_as_it_goes(
    undefined: Shelves, tmp_path: Path
) -> None:
    """Its API server drops the fields it does not know; a newer CRD brings them."""
    older = undefined.definitions[0].manifest()
    older["metadata"]["annotations"] = {VERSION_ANNOTATION: "0.0.1"}
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "shelves"
    ]
    undefined.cluster.define(older)
    undefined.cluster.define(undefined.definitions[1].manifest())
    undefined.write("a")
    undefined.touch("a", {"spec": {"shelves": 7}})
    async with source_of(undefined, undefined.cluster.kubeconfig(), tmp_path) as followed, followed.running():
        assert followed.config("a").spec.shelves == 1  # type: ignore[union-attr]
        undefined.cluster.define(undefined.definitions[0].manifest())

        def shelves() -> int:
            undefined.touch("a", {"spec": {"shelves": 7}})
            return int(followed.config("a").spec.shelves)  # type: ignore[union-attr]

        await until(lambda: shelves() == 7)


# A server that says anything, where a real one cannot be made to.


class Answers:
    """An ApiClient that answers with these, one after another; the last for ever."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []

    def param_serialize(self, *_: Any, query_params: Sequence[tuple[str, str]], **__: Any) -> Any:
        self.asked.append(dict(query_params))
        return ()

    async def call_api(self, *_: Any, **__: Any) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Answer:
    """One answer; each chunk of a watch comes on its own, an exception breaks it."""

    def __init__(self, *chunks: bytes | Exception, status: int = 200) -> None:
        self.status = status
        self.response = self
        self.content = self
        self._chunks = list(chunks)

    async def read(self) -> bytes:
        return b"".join(chunk for chunk in self._chunks if isinstance(chunk, bytes))

    async def readany(self) -> bytes:
        if not self._chunks:
            return b""
        chunk = self._chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None: ...


class Names:
    """A target that keeps names."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.lists = 0

    async def listed(self, pages: AsyncIterator[list[Any]]) -> None:
        self.now = [item["metadata"]["name"] async for page in pages for item in page]
        self.lists += 1

    async def changed(self, events: list[Event]) -> None:
        self.now += [event.object["metadata"]["name"] for event in events]


def listing(*names: str, version: str = "1", after: str = "") -> Answer:
    items = [{"metadata": {"name": name}} for name in names]
    return Answer(
        json.dumps({"metadata": {"resourceVersion": version, "continue": after}, "items": items}).encode()
    )


def event(name: str, version: str, kind: str = "ADDED") -> bytes:
    found = {"metadata": {"name": name, "resourceVersion": version}}
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def error(code: int) -> bytes:
    return json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code}}).encode() + b"\n"


IDLE = ConnectionError("cut")
HALF = event("b", "7")
RELISTED = [
    ("410 as an event", [listing("a"), Answer(error(410)), listing("a", "b", version="9"), IDLE], ["a", "b"]),
    ("410 as a status", [listing("a"), Answer(b"{}", status=410), listing("b", version="9"), IDLE], ["b"]),
    ("a version from the future", [listing("a"), Answer(error(504)), listing("b", version="2"), IDLE], ["b"]),
    ("410 within a list", [listing("a", after="x"), Answer(b"{}", status=410), listing("b"), IDLE], ["b"]),
]


@pytest.mark.parametrize(("answers", "names"), [case[1:] for case in RELISTED], ids=[c[0] for c in RELISTED])
async def test_what_is_forgotten_is_listed_again(answers: list[Any], names: list[str]) -> None:
    client = Answers(*answers)
    target = Names()
    await followed_until(client, target, lambda: target.now == names)


RESUMED = [
    ("within an event", [listing("a"), Answer(HALF[:20]), Answer(HALF), IDLE], "1"),
    ("by an error within an event", [listing("a"), Answer(HALF[:20], IDLE), Answer(HALF), IDLE], "1"),
    ("after a bookmark", [listing("a"), Answer(event("", "5", "BOOKMARK")), Answer(HALF), IDLE], "5"),
    ("in chunks", [listing("a"), Answer(HALF[:9], HALF[9:30], HALF[30:]), IDLE], "1"),
    ("by a line that is no event", [listing("a"), Answer(b"<html>\n"), Answer(HALF), IDLE], "1"),
    ("by 500", [listing("a"), Answer(b"no", status=500), Answer(HALF), IDLE], "1"),
    ("by 429", [listing("a"), Answer(b"{}", status=429), Answer(HALF), IDLE], "1"),
]


@pytest.mark.parametrize(("answers", "version"), [case[1:] for case in RESUMED], ids=[c[0] for c in RESUMED])
async def test_a_watch_that_ends_goes_on_from_the_last_version(answers: list[Any], version: str) -> None:
    client = Answers(*answers)
    target = Names()
    await followed_until(client, target, lambda: target.now == ["a", "b"])
    assert target.lists == 1
    asked = [query["resourceVersion"] for query in client.asked if "watch" in query]
    assert asked[answers.index(next(a for a in reversed(answers) if isinstance(a, Answer))) - 1] == version


async def test_a_server_that_ends_watches_at_once_is_asked_again_soon_and_not_all_the_time() -> None:
    """Where it took them; one that refuses gets its rest."""
    client = Answers(
        listing("a"), *(Answer(status=503) for _ in range(3)), *(Answer() for _ in range(7)), IDLE
    )
    collection = Collection("Things", "/things", {})
    pauses: list[float] = []
    watch = Watch(ClusterApi(client), collection, Names(), RecordingLog(), Pauses(0.5, 60.0))
    await watch.list_once()

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 11:
            raise asyncio.CancelledError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(asyncio.CancelledError):
        patch.setattr("store_plugin.config.kubernetes.watch.asyncio.sleep", noted)
        await watch.run()
    refused, ended, broken = pauses[:3], pauses[3:10], pauses[10]
    assert [pause <= due for pause, due in zip(refused, (0.5, 1, 2), strict=True)] == [True] * 3
    assert refused[2] >= 1
    assert all(pause <= 1 for pause in ended)
    assert min(ended[1:]) >= 0.5
    assert broken <= 0.5


@pytest.mark.parametrize("page", [b"", b"<html>", b"{}", b'{"items": []}'], ids=repr)
async def test_an_answer_that_is_no_list_takes_nothing_away(page: bytes) -> None:
    client = Answers(listing("a"), Answer(error(410)), Answer(page))
    target = Names()
    await followed_until(client, target, lambda: len(client.asked) > 5)
    assert target.now == ["a"]


async def followed_until(client: Answers, target: Names, condition: Any) -> None:
    collection = Collection("Things", "/things", {})
    watch = Watch(ClusterApi(client), collection, target, RecordingLog(), Pauses(0.001, 0.01))
    await watch.list_once()
    task = asyncio.create_task(watch.run())
    try:
        await until(condition, 5)
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()


def test_pauses_grow_to_a_bound_and_differ() -> None:
    growing = Pauses(first=1.0, longest=8.0).start()
    pauses = [growing.next() for _ in range(8)]
    for pause, due in zip(pauses, [1, 2, 4, 8, 8, 8, 8, 8], strict=True):
        assert due / 2 <= pause <= due
    assert len(set(pauses)) == 8
    growing.reset()
    assert growing.next() <= 1.0
