"""Which executables are run as exec plugins: those that somebody vouched for.

What is checked is what runs: the file is copied into memory that nobody can change any more, its
digest is that of the copy, and the copy is executed. So neither a file that is replaced between
check and start gets in, nor a symbolic link that leads elsewhere by then. The digests and
signatures are those of the plugin lifecycle (`store_plugin.trust`).
"""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from store_plugin.access.execution.runner import MOMENTARY, RETRY_SECONDS, Executable
from store_plugin.access.providers import Provider
from store_plugin.errors import PluginUntrusted, StorePluginError, StoreUnavailable
from store_plugin.trust import MAX_EXECUTABLE_BYTES, Untrusted, signers_in, verified

_CHUNK = 1024 * 1024
_MFD_EXEC = 0x10
_NO_MEMORY_RUNS = (
    "what was checked in memory may not be executed on this node: set the sysctl vm.memfd_noexec to 1 or 0"
)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class ExecutableTrust:
    """The `verify` of a runner: holds executables against `digest` and `signature` of their providers.

    With `require_digest` those of providers without either are refused; otherwise they run as they
    are. `trusted_keys` is the directory with the keys (`*.pub`, `*.pem`) whose signatures count.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        require_digest: bool = False,
        trusted_keys: Path | None = None,
    ) -> None:
        self._providers: Mapping[str, Provider] = {provider.name: provider for provider in providers}
        self._require_digest = require_digest
        self._trusted_keys = trusted_keys

    @contextmanager
    def __call__(self, provider: str, executable: Path) -> Iterator[Executable]:
        """What to execute, until the plugin has ended. PluginUntrusted; StoreUnavailable where the
        system is short of something just now."""
        known = self._providers[provider]
        if not (known.digest or known.signature or self._require_digest):
            yield Executable(executable)
            return
        memory = _sealed(provider, executable)
        try:
            self._check(known, executable, memory)
            yield Executable(Path(f"/proc/self/fd/{memory}"), (memory,))
        finally:
            os.close(memory)

    def _check(self, provider: Provider, executable: Path, memory: int) -> None:
        digest = _digest(memory)
        if provider.digest and digest != provider.digest:
            raise _untrusted(
                provider.name,
                f"{executable} is not the one that the access config names: its digest is {digest}",
            )
        if provider.signature:
            self._check_signature(provider, executable, memory)
        elif not provider.digest:
            told = f"a digest is demanded; if you trust {executable}, give the provider digest: {digest}"
            raise _untrusted(provider.name, told)

    def _check_signature(self, provider: Provider, executable: Path, memory: int) -> None:
        if self._trusted_keys is None:
            raise _untrusted(provider.name, "it is signed, and no directory of trusted keys was given")
        try:
            signers = signers_in(self._trusted_keys)
            verified(_content(memory), provider.signature.encode(), signers)
        except (Untrusted, OSError) as error:
            told = error.strerror if isinstance(error, OSError) else error
            raise _untrusted(provider.name, f"{executable}: {told} (keys: {self._trusted_keys})") from None


def _sealed(provider: str, executable: Path) -> int:
    """A descriptor of a copy in memory that nobody can change, its descriptor's owner neither."""
    memory = _memory(provider)
    try:
        _copy(executable, memory)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    except OSError as error:
        os.close(memory)
        raise _unchecked(provider, error, f"{executable} cannot be read: {error.strerror}") from None
    except BaseException:
        os.close(memory)
        raise
    return memory


def _memory(provider: str) -> int:
    """An empty memory file that may be executed, also where the kernel makes none such unless it is
    asked to (vm.memfd_noexec). PluginUntrusted, StoreUnavailable."""
    name, flags = "store-plugin-exec", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC
    try:
        return os.memfd_create(name, flags | _MFD_EXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:  # Linux before 6.3, where each may be
            return os.memfd_create(name, flags)
        denied = error.errno == errno.EACCES
        told = _NO_MEMORY_RUNS if denied else str(error.strerror)
        raise _unchecked(provider, error, told) from None


def _copy(executable: Path, memory: int) -> None:
    """A path may be a pipe, or grow for ever: only so much of a file is taken."""
    source = os.open(executable, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise OSError(None, "it is not a file")
        left = MAX_EXECUTABLE_BYTES
        while chunk := os.read(source, _CHUNK):
            left -= len(chunk)
            if left < 0:
                raise OSError(None, f"it is longer than {MAX_EXECUTABLE_BYTES} bytes")
            while chunk:
                chunk = chunk[os.write(memory, chunk) :]
    finally:
        os.close(source)


def _digest(memory: int) -> str:
    digest, at = hashlib.sha256(), 0
    while chunk := os.pread(memory, _CHUNK, at):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()


def _content(memory: int) -> bytes:
    return os.pread(memory, os.fstat(memory).st_size, 0)


def _unchecked(provider: str, error: OSError, problem: str) -> StorePluginError:
    """What the system is short of for a while is no reason to distrust anybody."""
    if error.errno in MOMENTARY:
        told = f"the exec plugin of provider {provider!r} cannot be run now: {problem}"
        return StoreUnavailable(told, retry_after=RETRY_SECONDS)
    return _untrusted(provider, problem)


def _untrusted(provider: str, problem: str) -> PluginUntrusted:
    return PluginUntrusted(f"the exec plugin of provider {provider!r} is not run: {problem}")
