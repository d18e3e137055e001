"""Credentials from Secrets of a cluster: known before they are asked for, announced when changed."""

from pathlib import Path

import pytest

from store_plugin.config.declarations import SecretName
from store_plugin.config.kubernetes.secrets import BY_NAME, scopes_of
from store_plugin.errors import ConfigInvalid
from tests.config.kubernetes.conftest import CANARY, Followed, Shelves, from_secret, source_of, write_secret
from tests.support.kubernetes import Cluster
from tests.support.waiting import until


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    return cluster.namespace()


def credential(followed: Followed, name: str) -> bytes:
    config = followed.config(name)
    assert config is not None
    return config.credentials.get("keys.0")


async def test_a_secret_is_known_after_load(
    followed: Followed, shelves: Shelves, cluster: Cluster, namespace: str
) -> None:
    write_secret(cluster, namespace, "login", token=CANARY)
    shelves.write("a", keys=[from_secret(namespace, "login")])
    async with followed.running():
        assert credential(followed, "a") == CANARY.encode()
    assert CANARY not in followed.log.text


async def test_a_config_that_comes_with_a_new_secret_finds_it(
    followed: Followed, shelves: Shelves, cluster: Cluster, namespace: str
) -> None:
    async with followed.running():
        write_secret(cluster, namespace, "login", token=CANARY)
        shelves.write("a", keys=[from_secret(namespace, "login")])
        await until(lambda: followed.config("a"))
        assert credential(followed, "a") == CANARY.encode()


async def test_a_changed_secret_is_announced_without_a_new_generation(
    followed: Followed, shelves: Shelves, cluster: Cluster, namespace: str
) -> None:
    write_secret(cluster, namespace, "login", token=CANARY)
    shelves.write("a", keys=[from_secret(namespace, "login")])
    async with followed.running():
        config = followed.config("a")
        assert config is not None
        await config.credentials.load()
        told: list[bytes] = []
        config.credentials.subscribe(lambda: told.append(config.credentials.get("keys.0")))
        write_secret(cluster, namespace, "login", token="rotated")
        await until(lambda: told)
        assert told == [b"rotated"]
        assert followed.config("a") is config
    assert CANARY not in followed.log.text


async def test_a_secret_that_vanishes_keeps_its_last_value_and_is_a_problem(
    followed: Followed, shelves: Shelves, cluster: Cluster, namespace: str
) -> None:
    write_secret(cluster, namespace, "login", token=CANARY)
    shelves.write("a", keys=[from_secret(namespace, "login")])
    async with followed.running():
        assert credential(followed, "a") == CANARY.encode()
        cluster.api("DELETE", f"/api/v1/namespaces/{namespace}/secrets/login")
        await until(lambda: followed.source.problems)
        (problem,) = followed.source.problems
        assert str(problem) == (
            f"ShelfConfig/a: spec.keys.0: the Secret {namespace}/login does not exist in the cluster; "
            "create it, or name another in the config; its last value stays in use"
        )
        assert credential(followed, "a") == CANARY.encode()


async def test_a_secret_that_comes_later_is_taken(
    followed: Followed, shelves: Shelves, cluster: Cluster, namespace: str
) -> None:
    shelves.write("a", keys=[from_secret(namespace, "login")])
    async with followed.running():
        with pytest.raises(ConfigInvalid, match="does not exist in the cluster"):
            credential(followed, "a")
        write_secret(cluster, namespace, "login", other="x")
        write_secret(cluster, namespace, "login", token=CANARY)
        config = followed.config("a")
        assert config is not None
        told: list[bytes] = []
        config.credentials.subscribe(lambda: told.append(credential(followed, "a")))
        await until(lambda: CANARY.encode() in told)


async def test_more_than_a_few_secrets_of_a_namespace_are_one_watch(
    shelves: Shelves, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    for number in range(BY_NAME):
        write_secret(cluster, namespace, f"login-{number}", token=f"value-{number}")
        shelves.write(f"c{number}", keys=[from_secret(namespace, f"login-{number}")])
    async with source_of(shelves, cluster.kubeconfig(), tmp_path) as followed, followed.running():
        assert len(followed.source.state.watches) == BY_NAME + 2
        write_secret(cluster, namespace, "another", token="another")
        shelves.write("another", keys=[from_secret(namespace, "another")])
        await until(lambda: followed.config("another"))
        assert credential(followed, "another") == b"another"
        assert [watch.what for watch in followed.source.state.watches][2:] == [f"Secrets of {namespace}"]
        assert credential(followed, "c7") == b"value-7"
        write_secret(cluster, namespace, "login-7", token="changed")
        await until(lambda: credential(followed, "c7") == b"changed")
        shelves.delete("another")
        await until(lambda: len(followed.source.state.watches) == BY_NAME + 2)
        write_secret(cluster, namespace, "login-7", token="again")
        await until(lambda: credential(followed, "c7") == b"again")


@pytest.mark.parametrize(
    ("number", "watches"), [(1, 1), (3, 3), (4, 1), (100, 1)], ids=["one", "as many", "one more", "many"]
)
def test_secrets_of_a_namespace_are_watched_one_by_one_up_to_a_number(number: int, watches: int) -> None:
    wanted = {SecretName("a", f"s{n}") for n in range(number)} | {SecretName("b", "s")}
    scopes = scopes_of(wanted, by_name=3)
    assert len(scopes) == watches + 1
    assert {SecretName(scope.namespace, name) for scope in scopes for name in scope.names} == wanted
