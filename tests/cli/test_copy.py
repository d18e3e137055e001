"""`store-plugin copy`: between two real stores, reported secret by secret."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store_plugin.cli._app import cli
from store_plugin.cli._opening import open_directory
from store_plugin.client import parse_config
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from tests.support import manifests

CANARY = b"canary-81c2-value"
ONE, TWO = "LocalConfig/one", "LocalConfig/two"
SECRETS = {
    "team-a/db": Secret({"password": CANARY, "raw": b"\xff\x00"}, {OWNER_LABEL: "uid-a", "env": "prod"}),
    "team-a/empty": Secret({}, {"env": "prod"}),
    "team-b/api": Secret({"token": CANARY}),
}


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    directory, data = tmp_path / "configs", tmp_path / "data"
    directory.mkdir()
    data.mkdir(mode=0o700)
    for name in ("one", "two"):
        manifests.local(directory, name, data)
    put(directory, ONE, SECRETS)
    return directory


def put(directory: Path, config: str, secrets: dict[str, Secret]) -> None:
    async def run() -> None:
        deadline = asyncio.get_running_loop().time() + 30
        async with open_directory(directory) as opened:
            with await opened.router.lease(parse_config(config)) as lease:
                for name, secret in secrets.items():
                    await lease.engine.apply(ScopedName.parse(name), secret, deadline=deadline)

    asyncio.run(run())


def held(directory: Path, config: str) -> dict[str, Secret]:
    async def run() -> dict[str, Secret]:
        async with open_directory(directory) as opened:
            with await opened.router.lease(parse_config(config)) as lease:
                store = lease.engine.store
                return {str(name): (await store.read(name)).secret async for name in store.names()}

    return asyncio.run(run())


@pytest.fixture
def copy(configs: Path) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, ["copy", "--config-dir", str(configs), *arguments])
        assert CANARY.decode() not in result.output
        return result

    return run


Copy = Callable[..., Result]


def test_everything_arrives_as_it_was(copy: Copy, configs: Path) -> None:
    result = copy(ONE, TWO)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "copied team-a/db",
        "copied team-a/empty",
        "copied team-b/api",
        "3 copied",
    ]
    assert held(configs, TWO) == SECRETS


def test_second_copy_changes_nothing(copy: Copy) -> None:
    copy(ONE, TWO)
    result = copy(ONE, TWO)
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "3 unchanged")


def test_dry_run_writes_nothing(copy: Copy, configs: Path) -> None:
    result = copy(ONE, TWO, "--dry-run")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "3 would copy")
    assert held(configs, TWO) == {}


def test_scope_limits_what_is_copied(copy: Copy, configs: Path) -> None:
    copy(ONE, TWO, "--scope", "team-b")
    assert set(held(configs, TWO)) == {"team-b/api"}


def test_names_limit_what_is_copied(copy: Copy, configs: Path) -> None:
    copy(ONE, TWO, "team-a/db")
    assert set(held(configs, TWO)) == {"team-a/db"}


def test_missing_secret_is_refused_and_the_others_are_copied(copy: Copy, configs: Path) -> None:
    result = copy(ONE, TWO, "team-a/nothing", "team-b/api")
    assert result.exit_code == 1
    assert "refused team-a/nothing: there is no such secret in LocalConfig/one" in result.output
    assert set(held(configs, TWO)) == {"team-b/api"}


def test_secret_of_other_content_is_refused(copy: Copy, configs: Path) -> None:
    put(configs, TWO, {"team-b/api": Secret({"token": b"theirs", "more": b"x"})})
    result = copy(ONE, TWO, "team-b/api")
    assert result.exit_code == 1
    assert "other content (--overwrite)" in result.output
    assert held(configs, TWO)["team-b/api"].data["token"] == b"theirs"


def test_overwrite_merges_and_removes_nothing(copy: Copy, configs: Path) -> None:
    put(configs, TWO, {"team-b/api": Secret({"token": b"theirs", "more": b"x"})})
    result = copy(ONE, TWO, "team-b/api", "--overwrite")
    assert result.exit_code == 0
    assert held(configs, TWO)["team-b/api"] == Secret({"token": CANARY, "more": b"x"})


@pytest.mark.parametrize(
    "options", [(), ("--overwrite",), ("--dry-run",)], ids=["plain", "overwrite", "dry run"]
)
@pytest.mark.parametrize(
    "theirs",
    [Secret({"token": b"theirs"}), Secret({"token": CANARY[:-1]}), Secret({"more": b"x"})],
    ids=["other value", "shorter", "key missing"],
)
def test_what_the_target_keeps_is_refused(
    copy: Copy, configs: Path, theirs: Secret, options: tuple[str, ...]
) -> None:
    """Its engine answers that nothing changed, and nothing arrived."""
    put(configs, TWO, {"team-b/api": theirs})
    manifests.local(configs, "two", configs.parent / "data", updatePolicy="IfNotExists")
    result = copy(ONE, TWO, "team-b/api", *options)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"refused team-b/api: {TWO} has it with other content, and keeps that: "
        "its updatePolicy is IfNotExists",
        "1 refused",
    ]
    assert held(configs, TWO)["team-b/api"] == theirs


def test_what_the_target_keeps_and_is_the_same_is_unchanged(copy: Copy, configs: Path) -> None:
    put(configs, TWO, {"team-b/api": Secret({"token": CANARY, "more": b"x"})})
    manifests.local(configs, "two", configs.parent / "data", updatePolicy="IfNotExists")
    result = copy(ONE, TWO, "team-b/api")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "1 unchanged")


def test_foreign_owner_is_refused_even_with_overwrite(copy: Copy, configs: Path) -> None:
    put(configs, TWO, {"team-a/db": Secret({}, {OWNER_LABEL: "somebody-else"})})
    result = copy(ONE, TWO, "team-a/db", "--overwrite")
    assert result.exit_code == 1
    assert "refused team-a/db: existing secret team-a/db is not owned" in result.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([ONE, ONE], 2),
        ([ONE, TWO, "team-a/db", "--scope", "team-a"], 2),
        ([ONE, "nonsense"], 2),
        ([ONE, "LocalConfig/nothing"], 1),
        ([ONE, "NoConfig/x"], 1),
    ],
    ids=["the same", "names and scope", "no config", "config not there", "kind not served"],
)
def test_what_cannot_be_copied_is_told(copy: Copy, arguments: list[str], code: int) -> None:
    assert copy(*arguments).exit_code == code


def test_empty_store_is_no_error(copy: Copy) -> None:
    result = copy(TWO, ONE)
    assert (result.exit_code, result.output) == (0, "nothing to copy\n")
