"""`store-plugin plugin`: the life of plugins, and what their authors need."""

from collections.abc import Mapping

import click

from store_plugin.cli._lazy import LazyCommand, LazyGroup

_HERE = "store_plugin.cli.plugin"
COMMANDS: Mapping[str, LazyCommand] = {
    "new": LazyCommand(f"{_HERE}.new", "Write the project of a new plugin."),
    "test": LazyCommand(f"{_HERE}.test", "Run the contract of stores against a plugin."),
    "run": LazyCommand(f"{_HERE}.run", "Run a plugin that is not registered, to try it."),
    "build": LazyCommand(f"{_HERE}.build", "Make one executable file of a Python project or a wheel."),
    "publish": LazyCommand(f"{_HERE}.publish", "Put an executable into a repository."),
    "trust": LazyCommand(f"{_HERE}.trust", "Look after the keys that signatures are checked with."),
    "install": LazyCommand(f"{_HERE}.install", "Bring an executable into the plugins directory."),
    "available": LazyCommand(
        f"{_HERE}.available", "List what could be run here, and what is registered of it."
    ),
    "register": LazyCommand(
        f"{_HERE}.register", "Have an installed executable known as a version of a plugin."
    ),
    "enable": LazyCommand(f"{_HERE}.enable", "Have a registered version run."),
    "disable": LazyCommand(f"{_HERE}.enable", "Have no version of a plugin run."),
    "update": LazyCommand(f"{_HERE}.update", "Install, register and enable a new version of a plugin."),
    "list": LazyCommand(
        f"{_HERE}.list", "List the plugins that are registered, and how they are doing.", "list_"
    ),
    "status": LazyCommand(f"{_HERE}.list", "Tell how one plugin is doing."),
    "restart": LazyCommand(f"{_HERE}.restart", "Have the running sidecar start a plugin anew."),
    "logs": LazyCommand(f"{_HERE}.logs", "Show what a plugin writes, over all its processes."),
    "deregister": LazyCommand(f"{_HERE}.remove", "Take versions of a plugin out of the catalog."),
    "remove": LazyCommand(f"{_HERE}.remove", "Take versions out, and delete what nothing needs any more."),
    "export": LazyCommand(f"{_HERE}.export", "Write the catalog as YAML."),
    "import": LazyCommand(f"{_HERE}.export", "Have the catalog be as an export says.", "import_"),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def plugin() -> None:
    """Look after plugins: install, register, enable, watch, write.

    What changes is in the audit record before it is in force: see 'store-plugin audit'.
    """
