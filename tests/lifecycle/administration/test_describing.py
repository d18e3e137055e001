"""A plugin is asked what it is, with little trust in how it answers."""

import sys
import textwrap
from pathlib import Path

import pytest

from store_plugin.errors import InvalidRequest, PluginUntrusted
from store_plugin.lifecycle.administration import describing
from store_plugin.lifecycle.administration.describing import Description, describe
from store_plugin.trust import digest_of


async def said(directory: Path, text: str) -> Description:
    path = directory / "plugin"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\n{textwrap.dedent(text)}")
    return await describe(path, digest_of(path))


MANIFEST = '{"name": "shelves", "version": "1.0", "kinds": [{"apiVersion": "e.org/v1", "kind": "Shelf"}]'


async def test_a_manifest_comes_back(tmp_path: Path) -> None:
    found = await said(
        tmp_path,
        f"""
        assert sys.argv[1:] == ["--describe"]
        print("a line before")
        print('''{MANIFEST}, "schema": "{"x" * 10_000}", "protocolVersions": ["v1"]}}''')
        """,
    )
    assert (found.name, found.version, found.protocol_versions) == ("shelves", "1.0", ("v1",))
    assert [(kind.api_version, kind.kind) for kind in found.kinds] == [("e.org/v1", "Shelf")]


async def test_it_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "secret")
    found = await said(
        tmp_path,
        """
        names = sorted(os.environ.keys() - {"LC_CTYPE"})
        print(json.dumps({"name": "x", "version": "1", "arguments": names}))
        """,
    )
    assert found.arguments == ("LANG", "PATH")


WRONG = {
    "no JSON": ("print('hello')", "no manifest"),
    "no object": ("print('[1]')", "no manifest"),
    "a wrong name": ('print(\'{"name": "../x", "version": "1"}\')', "DNS label"),
    "no version": ('print(\'{"name": "x"}\')', "version"),
    "a failure": ("sys.exit('unknown option --describe')", "ends with code 1: unknown option"),
    "silence": ("sys.exit(3)", "says nothing"),
    "too deep": ("print('{' * 100_000)", "no manifest"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG.keys())
async def test_what_is_no_answer_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        await said(tmp_path, text)


async def test_it_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "DESCRIBE_SECONDS", 0.3)
    with pytest.raises(InvalidRequest, match="did not answer"):
        await said(tmp_path, "import time; time.sleep(60)")


async def test_a_flood_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describing, "MOST_CHARACTERS", 1000)
    with pytest.raises(InvalidRequest, match="no manifest"):
        await said(tmp_path, "print('x' * 200_000); print('y\\n' * 2_000)")


async def test_another_file_than_the_one_that_is_meant_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    path.write_text("#!/bin/sh\ntouch ran\n")
    with pytest.raises(PluginUntrusted):
        await describe(path, "a" * 64)
