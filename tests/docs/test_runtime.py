"""The page about the runtime adapter is true, and complete."""

import ast
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

import store_plugin.runtime
from store_plugin.runtime import Owner, StaticStoreConfigs, StoreConfig, _failures
from tests.docs.pages import DOCS, blocks, code, rows, section

PAGE = DOCS / "runtime.md"
PYTHON = blocks(PAGE, "python")
OWNER = {"metadata": {"uid": "1", "resourceVersion": "7"}}


def indented(language: str) -> list[str]:
    """Blocks inside of the numbered list."""
    pieces = PAGE.read_text().split(f"   ```{language}\n")[1:]
    return ["\n".join(line[3:] for line in piece.split("   ```")[0].splitlines()) for piece in pieces]


class Recorder:
    """A manager that remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def publish(self, owner: object, details: Mapping[str, bytes]) -> bool:
        self.calls.append(("publish", owner))
        return True

    def unpublish(self, owner: object) -> None:
        self.calls.append(("unpublish", owner))


@pytest.mark.parametrize("name", store_plugin.runtime.__all__)
def test_every_public_name_is_told(name: str) -> None:
    assert name in code(PAGE.read_text())


def test_the_store_config_is_valid() -> None:
    (manifest,) = map(yaml.safe_load, indented("yaml"))
    assert StoreConfig.from_manifest(manifest).spec.outside is not None


def test_what_the_first_program_imports_is_there() -> None:
    (program,) = indented("python")
    imports = [node for node in ast.parse(program).body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "docs/runtime.md", "exec"), {})
    assert len(imports) == 2


@pytest.mark.parametrize("program", PYTHON, ids=["owners", "connections", "conditions", "finalizers"])
def test_the_programs_run(program: str) -> None:
    details = Recorder()
    known: dict[str, Any] = {
        "details": details,
        "configs": StaticStoreConfigs([]),
        "deployment": OWNER,
        "owner": OWNER,
        "login": {},
        "known": None,
    }
    exec(program, known)
    for _, owner in details.calls:
        assert isinstance(owner, Owner)
        assert owner.publish_to is not None
    if "patch" in known:
        assert known["patch"]["metadata"]["resourceVersion"] == "7"
    if "conditions" in known:
        assert {one["type"] for one in known["conditions"]} == {"Ready", "Synced"}


def test_the_beginnings_of_messages_are_those_of_the_code() -> None:
    shown = {row[0].strip("`") for row in rows(section(PAGE, "Errors"))}
    connect, get = _failures.CONNECT, _failures.GET_STORE_CONFIG
    simple = {_failures.WRITE, _failures.READ, _failures.DELETE, _failures.CONFLICT, connect}
    assert shown == {*simple, f"{connect}: {get}", f"{connect}: {get}: {_failures.DISABLED}"}
