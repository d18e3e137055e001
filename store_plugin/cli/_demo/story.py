"""The story that the demo tells of one store: every step is done, timed and checked."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import click

from store_plugin.cli._demo.processes import DemoFailed
from store_plugin.cli._output import change_lines
from store_plugin.client import Client
from store_plugin.errors import NotOwner
from store_plugin.model import KeyChange

NAME = "team-a/database"
OWNER = "3f0c6a1e-demo-owner"
FIRST = {"username": b"admin", "password": b"correct horse battery staple"}
RENEWED = {"password": b"Tr0ub4dor&3"}
_STEP = 28
_RESULT = 44

T = TypeVar("T")


def tell(step: str, result: str, seconds: float | None = None) -> None:
    """One line of the story."""
    took = "" if seconds is None else f"{seconds * 1000:8.1f} ms"
    click.echo(f"  {step:<{_STEP}} {result:<{_RESULT}}{took}".rstrip())


@dataclass(frozen=True, slots=True)
class Story:
    """The main job on one store, chosen by its config reference.

    `look_inside` says what the store really holds, past the sidecar, and raises DemoFailed
    where that is not what it should be.
    """

    client: Client
    config: str
    look_inside: Callable[[], str]
    look_for_removed: Callable[[], str]

    def run(self) -> None:
        """All of it. DemoFailed where a step does not do what it promises."""
        click.secho(f"\n{self.config}", bold=True)
        self._publish_and_read()
        self._change_and_repeat()
        self._refuse_and_rehearse()
        tell("look into the store itself", self.look_inside())
        self._remove()

    def _publish_and_read(self) -> None:
        applied, seconds = _timed(lambda: self.client.apply(self.config, NAME, FIRST, owner=OWNER))
        tell(f"publish {NAME}", _keys(applied.changes), seconds)
        found, seconds = _timed(lambda: self.client.get(self.config, NAME))
        _demand(dict(found.data) == FIRST and found.owner == OWNER, "what was read is not what was published")
        tell("read it", f"{len(found.data)} keys, as published", seconds)

    def _change_and_repeat(self) -> None:
        applied, seconds = _timed(lambda: self.client.apply(self.config, NAME, RENEWED, owner=OWNER))
        tell("publish a new password", f"{_keys(applied.changes)}, now version {applied.version}", seconds)
        again, seconds = _timed(lambda: self.client.apply(self.config, NAME, RENEWED, owner=OWNER))
        _demand(not again.changed and again.version == applied.version, "an unchanged apply wrote something")
        tell("publish the same again", f"unchanged, still version {again.version}: no write", seconds)

    def _refuse_and_rehearse(self) -> None:
        before = self.client.get(self.config, NAME)
        refused, seconds = _timed(self._apply_as_somebody_else)
        tell("publish as another owner", f"refused: {refused.reason}", seconds)
        planned, seconds = _timed(
            lambda: self.client.apply(self.config, NAME, {"port": b"5432"}, owner=OWNER, dry_run=True)
        )
        _demand(self.client.get(self.config, NAME) == before, "a refusal or a dry run changed the secret")
        tell("rehearse adding a port", f"{_keys(planned.changes)}, nothing written", seconds)

    def _apply_as_somebody_else(self) -> NotOwner:
        try:
            self.client.apply(self.config, NAME, RENEWED, owner="somebody-else")
        except NotOwner as error:
            return error
        raise DemoFailed("a foreign owner was not refused")

    def _remove(self) -> None:
        changes, seconds = _timed(
            lambda: self.client.delete_keys(self.config, NAME, ["username"], owner=OWNER)
        )
        left = sorted(self.client.get(self.config, NAME).data)
        _demand(left == ["password"], "a partial delete left something else than the password")
        tell("delete one key", f"{_keys(changes)}, password stays", seconds)
        _, seconds = _timed(lambda: self.client.delete(self.config, NAME, owner=OWNER))
        _demand(not self.client.get(self.config, NAME).data, "a deleted secret still has data")
        tell("delete the secret", self.look_for_removed(), seconds)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def _keys(changes: Iterable[KeyChange]) -> str:
    """Data keys that changed, in one line."""
    return "  ".join(line.strip() for line in change_lines(changes) if not line.endswith("(metadata)"))


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailed(otherwise)
