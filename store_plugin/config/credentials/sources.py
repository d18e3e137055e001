"""The places that credentials come from, each read once however many configs refer to it.

A value is read when a store first needs it, and then kept: a source that vanishes or
turns empty later is reported, and its last good value stays in use. Values that a living
config uses are read again when their source changes.
"""

import asyncio
import weakref
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

from store_plugin.config.credentials.origins import (
    File,
    Missing,
    Origin,
    SecretKey,
    file_signature,
    read_origin,
)
from store_plugin.config.merging import SecretData
from store_plugin.signatures import Signature, lasting
from store_plugin.store import Logger

SETTLE_SECONDS = 0.1
"""A changed file counts once it stays the same for this long: it may be half written."""


@dataclass(slots=True)
class _Held:
    """What is known of one origin."""

    value: bytes | None = field(default=None, repr=False)
    """The last good value."""
    problem: str | None = None
    """Why there is none now."""
    signature: Signature | None = None
    """Of the file, when it was read; None where a change may not show in it."""
    moving: Signature | None = None
    """A signature seen once; seen again, the file is read."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One attempt to read an origin."""

    value: bytes | None = field(repr=False)
    problem: str | None = None
    signature: Signature | None = None


class CredentialUser(Protocol):
    """Who uses values: they stay up to date for as long as it lives."""

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where its references point, by their path in the spec."""
        ...

    def announce(self) -> Collection[Exception]:
        """Tell whoever wants to know that a value changed; returns what they failed with."""
        ...


class CredentialSources:
    """The environment, the files and the Secrets that credentials come from.

    Belongs to one event loop; files are read in threads, except by `value` for one
    that was not loaded.
    """

    def __init__(self, environ: Mapping[str, str], log: Logger, secrets: SecretData | None = None) -> None:
        self._environ = environ
        self._secrets: SecretData = secrets or {}
        self._log = log
        self._held: dict[Origin, _Held] = {}
        self._users: weakref.WeakSet[CredentialUser] = weakref.WeakSet()

    def follow(self, user: CredentialUser) -> None:
        """Keep the values of `user` up to date for as long as it lives."""
        self._users.add(user)

    def value(self, origin: Origin) -> bytes:
        """The value at `origin`. Raises Missing."""
        held = self._held.get(origin) or self._take(origin, self._read(origin))
        if held.value is None:
            raise Missing(held.problem)
        return held.value

    def loss(self, origin: Origin) -> str | None:
        """What is wrong with an origin whose last good value is in use."""
        held = self._held.get(origin)
        return held.problem if held is not None and held.value is not None else None

    @property
    def any_loss(self) -> bool:
        """Whether the last good value of any origin is in use in place of a present one."""
        return any(held.problem is not None and held.value is not None for held in self._held.values())

    async def load(self, origins: Iterable[Origin]) -> None:
        """Read those that have no value yet."""
        wanted = [origin for origin in origins if not self._has_value(origin)]
        files = [origin for origin in wanted if isinstance(origin, File)]
        outcomes = await asyncio.to_thread(_read_files, files) if files else {}
        self._take_all({origin: outcomes.get(origin) or self._read(origin) for origin in wanted})

    def update_secrets(self, secrets: SecretData) -> None:
        """The Secrets as they are now."""
        self._secrets = secrets
        self._take_all({held: self._read(held) for held in self._held if isinstance(held, SecretKey)})

    async def poll(self) -> bool:
        """Look at the files in use; returns whether one of them seems to be changing now,
        so that it should be looked at again soon."""
        self._forget_unused()
        files = [origin for origin in self._held if isinstance(origin, File)]
        if not files:
            return False
        signatures = await asyncio.to_thread(_signatures, files)
        changed = [origin for origin in files if self._has_settled(origin, signatures[origin])]
        if changed:
            self._take_all(await asyncio.to_thread(_read_files, changed))
        return any(self._held[origin].moving is not None for origin in files)

    def _has_settled(self, origin: File, signature: Signature | None) -> bool:
        """Whether the file is another one than was read, and no longer changing."""
        held = self._held[origin]
        if signature is None:
            held.moving = None
            return held.problem is None
        settled = signature != held.signature and signature == held.moving
        held.moving = None if settled or signature == held.signature else signature
        return settled

    def _has_value(self, origin: Origin) -> bool:
        held = self._held.get(origin)
        return held is not None and held.value is not None

    def _read(self, origin: Origin) -> _Outcome:
        return _read(origin, self._environ, self._secrets)

    def _take_all(self, outcomes: Mapping[Origin, _Outcome]) -> None:
        """Take in what was read, and announce the values that changed under their users."""
        before = {origin: held.value for origin in outcomes if (held := self._held.get(origin))}
        for origin, outcome in outcomes.items():
            self._take(origin, outcome)
        changed = {origin for origin, value in before.items() if self._held[origin].value != value}
        if changed:
            self._announce(changed)

    def _take(self, origin: Origin, outcome: _Outcome) -> _Held:
        """Keep what was read; the last good value where nothing was."""
        held = self._held.setdefault(origin, _Held())
        held.signature = outcome.signature
        if outcome.value is not None:
            if held.problem is not None:
                self._log.info("credential is readable again", credential=str(origin))
            held.value, held.problem = outcome.value, None
        elif outcome.problem != held.problem:
            held.problem = outcome.problem
            consequence = "no value" if held.value is None else "the last value stays in use"
            self._log.warning("credential cannot be read", problem=held.problem, consequence=consequence)
        return held

    def _announce(self, changed: Set[Origin]) -> None:
        for origin in changed:
            self._log.info("credential changed", credential=str(origin))
        for user in list(self._users):
            if not changed.isdisjoint(user.origins.values()):
                for failure in user.announce():
                    self._log.error(
                        "a store failed to take a changed credential", error=type(failure).__name__
                    )

    def _forget_unused(self) -> None:
        """Drop the values that no living config refers to."""
        used = {origin for user in self._users for origin in user.origins.values()}
        for origin in self._held.keys() - used:
            del self._held[origin]


def _signatures(files: Iterable[File]) -> dict[File, Signature | None]:
    """Blocking."""
    return {origin: file_signature(origin) for origin in files}


def _read_files(files: Iterable[File]) -> dict[Origin, _Outcome]:
    """Blocking. A signature is taken before its file is read: a change in between shows."""
    outcomes: dict[Origin, _Outcome] = {}
    for origin in files:
        signature = lasting(file_signature(origin))
        outcomes[origin] = replace(_read(origin, {}, {}), signature=signature)
    return outcomes


def _read(origin: Origin, environ: Mapping[str, str], secrets: SecretData) -> _Outcome:
    try:
        return _Outcome(read_origin(origin, environ, secrets))
    except Missing as missing:
        return _Outcome(None, str(missing))
