"""`store-plugin plugin new`: a project to begin with."""

import json
import shlex
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Left out: ./NAME."
)
@click.option(
    "--group",
    metavar="GROUP",
    default="backends.example.org",
    show_default=True,
    help="API group of its kind of store configs: a domain of yours.",
)
def new(name: str, directory: Path | None, group: str) -> None:
    """Write the project of a new plugin.

    It runs and tests itself as it is: a store that keeps secrets in memory, the contract as its tests,
    a Makefile.
    """
    from store_plugin.authoring.project import Names, write_project

    target = directory or Path(name)
    for file in write_project(target, Names(name, group)):
        click.echo(f"  {file}")
    click.echo(f"now: make -C {target} test{_where_from()}")


def _where_from() -> str:
    """What make has to be told where store-plugin did not come from an index, but from a checkout
    or a wheel: there may be none to be had."""
    url = json.loads(distribution("store-plugin").read_text("direct_url.json") or "{}").get("url", "")
    found = Path(unquote(urlsplit(url).path))
    return f" STORE_PLUGIN={shlex.quote(str(found))}" if url.startswith("file:") and found.exists() else ""
