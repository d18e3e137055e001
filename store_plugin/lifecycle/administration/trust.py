"""Trusted keys of a plugins directory, and the question who vouches for an executable."""

import re
from pathlib import Path

from store_plugin.errors import AlreadyRegistered, InvalidRequest, PluginUntrusted
from store_plugin.given_files import read_given
from store_plugin.lifecycle.administration.recording import recorded
from store_plugin.lifecycle.administration.settings import DirectorySettings, read_settings, write_settings
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.files import remove_file, replace_file
from store_plugin.lifecycle.layout import Layout
from store_plugin.trust import Signer, Untrusted, public_key, signers_in, verified

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(pub|pem)\Z")
_MOST_KEY_BYTES = 16 * 1024


class TrustedKeys:
    """The keys that signatures are checked with. Blocking."""

    def __init__(self, layout: Layout, audit: AuditLog) -> None:
        self._layout = layout
        self._audit = audit

    def list(self) -> list[Signer]:
        """By name. PluginUntrusted where a file in the directory is no key: somebody should look."""
        try:
            return signers_in(self._layout.trusted_keys)
        except Untrusted as error:
            raise PluginUntrusted(f"in {self._layout.trusted_keys}: {error}") from None

    def add(self, file: Path) -> Signer:
        """Trust a key from now on. InvalidRequest, AlreadyRegistered for a name that is taken."""
        name, pem = file.name, _read(file)
        if not _NAME.match(name):
            raise InvalidRequest(
                f"{name!r} is no name for a key: letters, digits and ._-, ending in .pub or .pem"
            )
        try:
            signer = Signer(name, public_key(pem))
        except Untrusted as error:
            raise InvalidRequest(f"{file}: {error}") from None
        target = self._layout.trusted_keys / name
        if target.exists():
            raise AlreadyRegistered(
                f"a key {name} is trusted: remove it first, or give this one another name"
            )
        with recorded(self._audit, "trust", "", {"key": name, "fingerprint": signer.fingerprint}):
            replace_file(target, pem)
        return signer

    def remove(self, name: str) -> None:
        """Trust a key no more. InvalidRequest where there is none of that name."""
        if not _NAME.match(name) or not (target := self._layout.trusted_keys / name).is_file():
            raise InvalidRequest(f"no key {name!r} is trusted: see 'store-plugin plugin trust list'")
        with recorded(self._audit, "distrust", "", {"key": name}):
            remove_file(target)

    def require(self, required: bool) -> None:
        """Have signatures demanded in this directory, or not."""
        with recorded(self._audit, "require-signature", "", {"required": required}):
            write_settings(self._layout, DirectorySettings(require_signature=required))

    def signer_of(self, executable: Path, signature: str | None, key: Path | None = None) -> str:
        """Name of the key that vouches for it; empty where no signature is given and none demanded.
        `key`: the one that must have signed. PluginUntrusted."""
        if signature is None:
            if key is not None:
                raise InvalidRequest("a key without a signature checks nothing: pass --signature too")
            if read_settings(self._layout).require_signature:
                raise PluginUntrusted(
                    "this plugins directory takes signed plugins only: pass --signature FILE"
                )
            return ""
        try:
            signers = self.list() if key is None else [Signer(key.name, public_key(_read(key)))]
            signer = verified(executable.read_bytes(), signature.encode(), signers)
        except Untrusted as error:
            raise PluginUntrusted(f"{error}{_HINT if 'no trusted keys' in str(error) else ''}") from None
        self._check_demanded(signer)
        return signer.name

    def _check_demanded(self, signer: Signer) -> None:
        """A key given by hand counts where signatures are demanded only if it is trusted anyway."""
        demanded = read_settings(self._layout).require_signature
        if demanded and signer.fingerprint not in {one.fingerprint for one in self.list()}:
            raise PluginUntrusted(f"{signer.name} is not trusted in this plugins directory{_HINT}")


_HINT = ": store-plugin plugin trust add KEY"


def read_signature(file: Path) -> str:
    """The text of a signature file. InvalidRequest."""
    raw = _read(file)
    try:
        return raw.decode("ascii").strip()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{file} is no signature in base64, as cosign sign-blob writes it") from None


def _read(file: Path) -> bytes:
    return read_given(file, _MOST_KEY_BYTES)
