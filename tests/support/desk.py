"""A person at the command line who looks after plugins, and the plugin that is looked after."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.support.local_plugin import API_VERSION, KIND, NAME, ROOT
from tests.support.sidecar import PROGRAM

PLUGIN = """\
import sys
sys.path[:0] = {paths!r}
from store_plugin.errors import StoreUnavailable
from store_plugin.plugin import Plugin, note_for_audit
from stores.local import factory

{before}
plugin = Plugin({name!r}, {version!r})
plugin.serve_store(factory, api_version={api_version!r}, kind={kind!r})

@plugin.on_check
async def check():
    note_for_audit("files-looked-at")
    if {broken!r}:
        raise StoreUnavailable("the files are not there")

plugin.main()
"""


def executable(directory: Path, version: str, *, broken: bool = False, before: str = "") -> Path:
    """A plugin of stores in files; `before` is Python that it does first."""
    paths = [str(ROOT), *[path for path in sys.path if "site-packages" in path]]
    text = PLUGIN.format(
        paths=paths,
        name=NAME,
        version=version,
        api_version=API_VERSION,
        kind=KIND,
        broken=broken,
        before=before,
    )
    path = directory / f"files-{version}"
    path.write_text(f"#!{sys.executable} -S\n{textwrap.dedent(text)}")
    path.chmod(0o755)
    return path


class Desk:
    """A person at the command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plugins = directory / "plugins"

    def run(self, *arguments: str, expect: int = 0) -> str:
        command = [PROGRAM, *arguments, "--plugins-dir", str(self.plugins)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=150)  # with --wait, 120
        assert ended.returncode == expect, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout + ended.stderr

    def shown(self, *arguments: str) -> Any:
        """What a command tells programs."""
        return json.loads(self.run(*arguments, "-o", "json"))

    def introduce(self, version: str, *, broken: bool = False, before: str = "") -> None:
        """Install and register a version."""
        file = executable(self.directory, version, broken=broken, before=before)
        said = self.run("plugin", "install", str(file))
        digest = re.search(r"[0-9a-f]{64}", said)
        assert digest, said
        self.run("plugin", "register", digest[0])

    def records(self) -> list[dict[str, Any]]:
        """What is recorded of the plugin."""
        said = self.run("audit", "tail", "--raw", "-n", "1000")
        return [record for record in map(json.loads, said.splitlines()) if record["plugin"] == NAME]

    def events(self) -> list[str]:
        return [record["event"] for record in self.records()]
