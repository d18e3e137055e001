"""The catalog as people change it: each change is in the audit record before it is in force.

The record is written inside the transaction, when nothing but the disk can stop it any more. Where
it cannot be written the change does not happen; where the disk stops the change after that, the
record is told so.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import ValidationError

from store_plugin.errors import InvalidRequest, PluginNotFound, PluginUntrusted, StorePluginError
from store_plugin.given_files import read_given
from store_plugin.lifecycle.administration.origins import Origins
from store_plugin.lifecycle.administration.recording import not_done, recorded
from store_plugin.lifecycle.administration.settings import read_settings
from store_plugin.lifecycle.administration.trust import TrustedKeys
from store_plugin.lifecycle.audit import AuditLog, Value
from store_plugin.lifecycle.catalog import Catalog, Confirm, now
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.files import turn
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import PluginName, Registration, RunOptions, Version
from store_plugin.spec import Manifest

ResultT = TypeVar("ResultT")
_MOST_CONFIG_BYTES = 256 * 1024


class RegistrationConfig(Manifest):
    """What `plugin register --config` reads."""

    name: PluginName | None = None
    """Left out: as the plugin says itself."""
    version: Version | None = None
    role: Literal["backend"] = "backend"
    run: RunOptions = RunOptions()


class Registrar:
    """Changes the catalog of one plugins directory. Blocking."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.catalog = Catalog(layout.catalog)
        self.content = ContentStore(layout.content)
        self.origins = Origins(layout)
        self._audit = AuditLog(layout.audit)
        self._keys = TrustedKeys(layout, self._audit)

    def turn(self) -> AbstractContextManager[None]:
        """Held while executables must stay as they are. StoreUnavailable. Does not nest."""
        return turn(self._layout.content)

    def signer_of(self, digest: str) -> str:
        """Who vouches for an executable, by the keys that are trusted now; empty: nobody.
        PluginUntrusted where signatures are demanded."""
        origin = self.origins.get(digest)
        signature = origin.signature if origin else None
        try:
            return self._keys.signer_of(self.content.path(digest), signature)
        except PluginUntrusted:
            if read_settings(self._layout).require_signature:
                raise
            return ""

    def register(self, registration: Registration) -> None:
        """PluginNotFound where the executable is not installed, AlreadyRegistered."""
        fields: dict[str, Value] = {
            "version": registration.version,
            "digest": registration.digest,
            "signer": registration.signer,
            "arguments": len(registration.run.arguments),
            "environment": list(registration.run.environment),
        }
        with self.turn():  # nobody deletes it in between
            if not self.content.has(registration.digest):
                raise PluginNotFound(f"nothing with digest {registration.digest} is installed: {_INSTALL}")
            self._change(
                "register",
                registration.name,
                fields,
                lambda confirm: self.catalog.register(registration, confirm),
            )

    def enable(self, name: str, version: str | None = None) -> tuple[str, str | None]:
        """Have a version run, left out: the one registered last. Returns it, and the one that ran.
        PluginNotFound; PluginUntrusted where signatures are demanded and it has none, or nobody who
        is trusted now vouches for it and somebody did."""
        chosen = version or self._newest(name)
        found = self.catalog.version(name, chosen)
        if not self.content.has(found.digest):
            raise PluginNotFound(f"the executable of {name} {chosen} is gone: {_INSTALL}")
        signer = self.signer_of(found.digest)
        if found.signer and not signer:
            raise PluginUntrusted(
                f"no trusted key vouches for {name} {chosen} any more: it was signed by {found.signer}"
            )
        if signer != found.signer and read_settings(self._layout).require_signature:
            raise PluginUntrusted(f"plugin {name} {chosen} was registered before signatures were demanded")
        before = self._change(
            "enable", name, {"version": chosen}, lambda confirm: self.catalog.enable(name, chosen, confirm)
        )
        return chosen, before

    def disable(self, name: str) -> str:
        """Have none run; returns the version that did. PluginNotFound."""
        return self._change("disable", name, {}, lambda confirm: self.catalog.disable(name, confirm))

    def deregister(self, name: str, version: str | None) -> list[Registration]:
        """Take a version out of the catalog, or all. PluginNotFound; AlreadyRegistered where it
        is enabled, or one of all: then none is taken out."""
        versions = [version] if version else [one.version for one in self.catalog.versions(name)]
        if not versions:
            raise PluginNotFound(f"no plugin {name} is registered: see 'store-plugin plugin available'")
        return self._changes(
            "deregister",
            name,
            [{"version": one} for one in versions],
            lambda confirm: self.catalog.deregister(name, versions, confirm),
        )

    def remove(self, name: str, version: str | None) -> tuple[list[Registration], list[str]]:
        """Deregister, and delete executables that nothing refers to any more; returns both, the
        executables by digest."""
        taken = self.deregister(name, version)
        with self.turn():
            used = {registration.digest for registration in self.catalog.versions()}
            gone = sorted({registration.digest for registration in taken} - used)
            for digest in gone:
                self._delete(digest, name)
        return taken, gone

    def delete_content(self, digest: str) -> None:
        """Delete an executable that is not registered. InvalidRequest where it is."""
        with self.turn():
            for registration in self.catalog.versions():
                if registration.digest == digest:
                    raise InvalidRequest(f"it is registered as {registration.name} {registration.version}")
            self._delete(digest, "")

    def replace_all(self, registrations: list[Registration], enabled: Mapping[str, str]) -> None:
        """Have exactly this in the catalog. PluginNotFound."""
        fields: dict[str, Value] = {
            "registered": [f"{one.name} {one.version}" for one in registrations],
            "enabled": [f"{name} {version}" for name, version in sorted(enabled.items())],
        }
        self._change(
            "import",
            "",
            fields,
            lambda confirm: self.catalog.replace_all(registrations, dict(enabled), confirm),
        )

    def _delete(self, digest: str, name: str) -> None:
        with recorded(self._audit, "remove", name, {"digest": digest}):
            self.content.remove(digest)
            self.origins.remove(digest)

    def _newest(self, name: str) -> str:
        versions = self.catalog.versions(name)
        if not versions:
            raise PluginNotFound(f"no plugin {name} is registered: see 'store-plugin plugin available'")
        return versions[-1].version

    def _change(
        self, event: str, plugin: str, fields: Mapping[str, Value], change: Callable[[Confirm], ResultT]
    ) -> ResultT:
        return self._changes(event, plugin, [fields], change)

    def _changes(
        self,
        event: str,
        plugin: str,
        each: Sequence[Mapping[str, Value]],
        change: Callable[[Confirm], ResultT],
    ) -> ResultT:
        """One transaction, with a record for each thing that it changes."""
        recorded = 0

        def confirm() -> None:
            nonlocal recorded
            for fields in each:
                self._audit.record(event, plugin, fields)
                recorded += 1

        try:
            return change(confirm)
        except StorePluginError as error:
            for _ in range(recorded):
                not_done(self._audit, event, plugin, error)
            raise


_INSTALL = "install it with 'store-plugin plugin install'"


def read_config(file: Path) -> RegistrationConfig:
    """The file of `--config`. InvalidRequest names the field that is wrong."""
    text = read_given(file, _MOST_CONFIG_BYTES)
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError):
        raise InvalidRequest(f"{file} is not YAML") from None
    try:
        return RegistrationConfig.model_validate(document if document is not None else {})
    except ValidationError as error:
        raise InvalidRequest(f"{file}: {first_problem(error)}") from None


def registration(
    name: str, version: str, digest: str, signer: str, config: RegistrationConfig
) -> Registration:
    """A new version, from now on. InvalidRequest where name or version cannot be one."""
    given = {
        "digest": digest,
        "signer": signer,
        "role": config.role,
        "run": config.run,
        "registered_at": now(),
    }
    try:
        return Registration.model_validate({"name": name, "version": version, **given})
    except ValidationError as error:
        raise InvalidRequest(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """Where and what, and nothing of what was written."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
