"""`audit tail -f` shows what comes, while others write."""

import os
import subprocess
import sys
from pathlib import Path

from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.layout import Layout


def test_a_followed_record_shows_what_comes(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "plugins")
    layout.prepare()
    AuditLog(layout.audit).record("start", "first")
    command = [
        sys.executable,
        "-m",
        "store_plugin.cli",
        "audit",
        "tail",
        "-f",
        "--plugins-dir",
        str(layout.root),
    ]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
    try:
        assert following.stdout is not None
        assert "first" in following.stdout.readline()
        AuditLog(layout.audit).record("crash", "second")
        assert "crash" in following.stdout.readline()
    finally:
        following.terminate()
        following.wait(10)
        if following.stdout is not None:
            following.stdout.close()
