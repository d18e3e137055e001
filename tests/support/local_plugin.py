"""A plugin as a process: encrypted local files, brought along as a kind of its own.

`python -m tests.support.local_plugin ENDPOINT VERSION INSTANCE [PLURAL]`. Instances share the files, as
replicas of a plugin share the service behind them.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grpc_health.v1 import health, health_pb2_grpc

from store_plugin.plugin import Plugin
from tests.support import manifests

NAME, API_VERSION, KIND = "files", "files.example.org/v1", "FilesConfig"
ROOT = Path(__file__).parent.parent.parent


def config(directory: Path, name: str, data_dir: Path, **spec: Any) -> Path:
    """A manifest of the kind, with a database and a key of its own in `data_dir`."""
    path = manifests.local(directory, name, data_dir, **spec)
    text = path.read_text().replace(manifests.GROUP_VERSION, API_VERSION).replace("LocalConfig", KIND)
    path.write_text(text)
    return path


@contextmanager
def running_plugin(
    endpoint: str, log: Path, *, version: str = "1.0", instance: str = "one", plural: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, connected or trying to."""
    command = [sys.executable, "-m", "tests.support.local_plugin", endpoint, version, instance, plural]
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def main(endpoint: str, version: str, instance: str, plural: str = "") -> None:
    from stores.local import factory

    plugin = Plugin(NAME, version, instance_id=instance)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), plugin)
    plugin.serve_store(factory, api_version=API_VERSION, kind=KIND, plural=plural)
    await plugin.run(endpoint)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
