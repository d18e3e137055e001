"""What happens to an API server and to our rights on it, while the last good state serves."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

from store_plugin.crds.definition import VERSION_ANNOTATION
from tests.config.kubernetes.conftest import Followed, Shelves, from_secret, source_of, write_secret
from tests.support.kubernetes import Cluster
from tests.support.proxy import Proxy
from tests.support.waiting import until

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
        for watch in followed.source.state.watches:
            told = _told_of(followed, watch.what)
            assert told[-1] == "goes on"
            # Each problem once, not each attempt.
            assert all(line != after for line, after in pairwise(told))


def _told_of(followed: Followed, what: str) -> list[str]:
    """The lines of the log about a watch: the problem that it was lost by, or that it goes on."""
    lines = [(event, fields) for _, event, fields in followed.log.lines if fields.get("what") == what]
    return [fields["problem"] if event == "watch lost" else "goes on" for event, fields in lines]


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


async def test_a_thousand_objects_that_change_at_once_are_all_followed_to_their_last_state(
    followed: Followed, shelves: Shelves
) -> None:
    shelves.write("a")
    told: list[int] = []
    async with followed.running():
        followed.table.subscribe(lambda changed: told.append(len(changed)))
        await asyncio.to_thread(shelves.write_many, BURST)
        await until(lambda: all(followed.server(f"c{n}") == "https://two" for n in range(BURST)), 60)
        assert len(followed.table.all()) == BURST + 1
        assert BURST <= sum(told) <= 2 * BURST
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
            cluster.take_back(binding)
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
