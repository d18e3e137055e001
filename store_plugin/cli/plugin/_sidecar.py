"""The sidecar that runs on a plugins directory, where there is one."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store_plugin.errors import InvalidRequest, NotReachable, StorePluginError

if TYPE_CHECKING:
    from store_plugin._proto import control_pb2 as proto
    from store_plugin.cli._control import Control
    from store_plugin.lifecycle.layout import Layout

_SECONDS = 5.0

control_socket_option = click.option(
    "--control-socket",
    type=click.Path(path_type=Path),
    envvar="STORE_PLUGIN_CONTROL_SOCKET",
    show_envvar=True,
    metavar="PATH",
    help="Control socket of the sidecar; left out: control.sock in the plugins directory.",
)


class Sidecar:
    """A connection to it."""

    def __init__(self, control: "Control") -> None:
        self.control = control

    def plugins(self) -> "Mapping[str, proto.ManagedPlugin]":
        """Those that it runs or should, by name."""
        return {plugin.name: plugin for plugin in self.control.managed_plugins().plugins}


@contextmanager
def sidecar_on(layout: "Layout", control_socket: Path | None) -> Iterator[Sidecar]:
    """NotReachable where none runs on it; InvalidRequest where the one that answers runs on another."""
    from store_plugin.cli._control import connected

    path = control_socket or layout.control_socket
    with ExitStack() as stack:
        try:
            control = stack.enter_context(connected(path, _SECONDS))
        except NotReachable:
            raise NotReachable(_nobody(layout, control_socket)) from None
        _check_directory(layout, Path(control.managed_plugins().directory), path)
        yield Sidecar(control)


def told_to(layout: "Layout", control_socket: Path | None) -> bool:
    """Have a sidecar take in at once what has changed; whether one was told. Where none can be, one that
    runs finds out by itself within seconds."""
    try:
        with sidecar_on(layout, control_socket) as sidecar:
            sidecar.control.catalog_changed()
    except StorePluginError:
        return False
    return True


def _nobody(layout: "Layout", control_socket: Path | None) -> str:
    started = f"start 'store-plugin serve --plugins-dir {layout.root}'"
    if control_socket is not None:
        return f"no sidecar answers at {control_socket}: is it running? Else {started}"
    return f"no sidecar runs on {layout.root}: {started}, or name its --control-socket here too"


def _check_directory(layout: "Layout", found: Path, path: Path) -> None:
    try:
        same = found.samefile(layout.root)
    except OSError:
        same = False
    if not same:
        raise InvalidRequest(f"the sidecar at {path} runs the plugins of {found}, not of {layout.root}")
