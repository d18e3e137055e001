"""Waiting until a plugin is as it was asked for, with a line for each step of the way."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

import click

from store_plugin.cli._failures import Failure
from store_plugin.cli._parameters import timeout_option
from store_plugin.cli._printable import printable
from store_plugin.cli.plugin._shared import note
from store_plugin.cli.plugin._sidecar import Sidecar

if TYPE_CHECKING:
    from store_plugin._proto import control_pb2 as proto
    from store_plugin.lifecycle.catalog import Catalog

_LOOK_SECONDS = 0.1
_READY, _UPDATING, _BROKEN = "Ready", "Updating", "Broken"


@dataclass(frozen=True, slots=True)
class Wait:
    """How long."""

    seconds: float

    def until_runs(self, sidecar: Sidecar, catalog: "Catalog", name: str, version: str) -> None:
        """Until the version is ready. Failure where it was rolled back, is left alone after too many
        failures, takes too long, or something else was asked for."""

        def reached(plugin: "proto.ManagedPlugin") -> bool:
            if (plugin.state, plugin.version, plugin.wanted_version) == (_READY, version, version):
                return True
            enabled = catalog.enabled().get(name)
            asked_for = enabled.registration.version if enabled else ""
            if asked_for != version and plugin.state != _UPDATING:
                now = f"{name} {asked_for} runs on" if asked_for else f"{name} was disabled"
                raise Failure(f"{name} {version} does not run, {now}: {_why(plugin)}")
            return False

        self._until(sidecar, name, f"{name} {version}", reached)
        click.echo(f"{name} {version} is ready")

    def until_restarted(self, sidecar: Sidecar, name: str, before: str) -> None:
        """Until another instance than `before` is ready. Failure."""
        self._until(sidecar, name, name, lambda plugin: plugin.state == _READY and plugin.instance != before)
        click.echo(f"{name} is ready")

    def _until(
        self, sidecar: Sidecar, name: str, what: str, reached: "Callable[[proto.ManagedPlugin], bool]"
    ) -> None:
        give_up, told = time.monotonic() + self.seconds, ""
        while (plugin := sidecar.plugins().get(name)) is None or not reached(plugin):
            state = _state(plugin)
            if plugin is not None and plugin.state == _BROKEN:
                raise Failure(f"{what} does not start: {_why(plugin)}: see 'store-plugin plugin logs {name}'")
            if time.monotonic() > give_up:
                raise Failure(f"{what} is not ready after {self.seconds:g} s: {state or 'not begun'}")
            if state and state != told:
                note(f"{what}: {state}")
                told = state
            time.sleep(_LOOK_SECONDS)


def wait_options(command: Callable[..., None]) -> Callable[..., None]:
    """Whether to wait, and how long; the command gets `wait`, None where not."""

    def run(wait: bool, wait_seconds: float, **others: Any) -> None:
        command(wait=Wait(wait_seconds) if wait else None, **others)

    limited = timeout_option("wait_seconds", default=120.0, help="Longest wait.")
    shown = limited(update_wrapper(run, command))
    return click.option("--wait", is_flag=True, help="Wait until it is ready; end with 1 where it is not.")(
        shown
    )


def _state(plugin: "proto.ManagedPlugin | None") -> str:
    """Empty where there is none yet."""
    if plugin is None:
        return ""
    told = plugin.why and plugin.state != _READY  # of one that is ready it is over
    return f"{plugin.state}: {_why(plugin)}" if told else plugin.state


def _why(plugin: "proto.ManagedPlugin") -> str:
    return printable(plugin.why) or "no failure is known"
