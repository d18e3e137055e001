"""The consumer: from a ClusterProfile to a client, with the providers it was set up with."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from store_plugin.access.clients.certificates import CertificateFile, CertificateFiles
from store_plugin.access.clients.logins import Login
from store_plugin.access.clients.member import Member
from store_plugin.access.exec_credential import info_text
from store_plugin.access.execution.collecting import GivingUp
from store_plugin.access.execution.runner import TIMEOUT, ExecCall, OnOutput, Runner, Verify
from store_plugin.access.execution.trust import ExecutableTrust
from store_plugin.access.following import ProvidersFile
from store_plugin.access.planning import planned
from store_plugin.access.profiles import ClusterAccess, ClusterProfile
from store_plugin.access.providers import Provider
from store_plugin.errors import ConfigInvalid

if TYPE_CHECKING:
    import kubernetes.aio.client
    import kubernetes.client

    from store_plugin.access.clients.aio import AsyncClusterClient
    from store_plugin.access.clients.threaded import ClusterClient

MOST_LOGINS = 10_000
"""Credentials that are kept; beyond it the one that was not used longest is forgotten."""
_PLUGINS_AT_ONCE = 16


class AccessOptions(TypedDict, total=False):
    """What an AccessConfig is made with besides its providers."""

    verify: Verify | None
    """Decides on executables before they run, instead of `ExecutableTrust`."""
    require_digest: bool
    """Whether plugins run only that somebody vouched for."""
    trusted_keys: Path | None
    """Directory with the keys whose signatures count."""
    timeout: float
    """Seconds that one run of a plugin may take."""
    environ: Mapping[str, str] | None
    """Stands for this process's environment, of which plugins see a part."""
    interactive: bool
    """Whether plugins may ask the person at standard input."""
    on_output: OnOutput | None
    """Takes what plugins write on standard error."""


class AccessConfig:
    """What clusters are reached with. For threads and for asyncio; close it, or use it with `with`."""

    def __init__(self, providers: Iterable[Provider], **options: Unpack[AccessOptions]) -> None:
        given = tuple(providers)
        self._source: Callable[[], tuple[Provider, ...]] = lambda: given
        self._file: ProvidersFile | None = None
        self._options = options
        self._pool = ThreadPoolExecutor(_PLUGINS_AT_ONCE, thread_name_prefix="exec-plugin")
        self._files = CertificateFiles()
        self._giving_up = GivingUp()
        self._lock = Lock()
        self._logins: OrderedDict[str, tuple[Login, CertificateFile]] = OrderedDict()

    @classmethod
    def from_file(cls, file: Path, **options: Unpack[AccessOptions]) -> Self:
        """With the providers in a file, JSON or YAML, and with those that it names later: clients
        that are made after a change have them. ConfigInvalid names file, line and field. Blocking."""
        followed = ProvidersFile(file)
        made = cls((), **options)
        made._file, made._source = followed, followed.providers
        return made

    @property
    def providers(self) -> tuple[Provider, ...]:
        """In the order of preference. Of a file: the last that could be read."""
        return self._source()

    @property
    def problem(self) -> str:
        """What is wrong with the file since it was changed; empty: nothing. The providers that it
        named before are in force then."""
        return "" if self._file is None else self._file.problem

    def choose(self, profile: "ClusterProfile | Mapping[str, Any]") -> tuple[Provider, ClusterAccess]:
        """The first of our providers that the profile names, and how its clients reach the
        cluster. ConfigInvalid where it names none of them, or says what cannot be used."""
        profile, providers = _profile(profile), self.providers
        for provider in providers:
            if provider.name in profile.accesses:
                return provider, profile.access(provider.name)
        offered = ", ".join(map(repr, profile.accesses)) or "none"
        known = ", ".join(repr(provider.name) for provider in providers) or "none"
        raise ConfigInvalid(
            f"no provider for profile {profile}: it names {offered}, the access config has {known}"
        )

    def member(self, profile: "ClusterProfile | Mapping[str, Any]") -> Member:
        """The cluster and our login to it; nothing is run. ConfigInvalid, as `choose`."""
        profile = _profile(profile)
        provider, access = self.choose(profile)
        environ, interactive = self._options.get("environ"), self._options.get("interactive", False)
        call = planned(provider, profile, access, environ=environ, interactive=interactive)
        key = _key(provider, call)
        return Member(str(profile), access, *self._login(key, provider, call), key)

    def build_config(
        self, profile: "ClusterProfile | Mapping[str, Any]"
    ) -> "kubernetes.client.Configuration":
        """For `kubernetes.client.ApiClient`: the plugin runs at the first request, and again
        when its token has expired or was refused. A certificate needs `connect`. ConfigInvalid."""
        from store_plugin.access.clients.threaded import configuration

        return configuration(self.member(profile))

    def build_aio_config(
        self, profile: "ClusterProfile | Mapping[str, Any]"
    ) -> "kubernetes.aio.client.Configuration":
        """The same for `kubernetes.aio.client.ApiClient`; nothing of it blocks the loop."""
        from store_plugin.access.clients.aio import configuration

        return configuration(self.member(profile))

    def connect(self, profile: "ClusterProfile | Mapping[str, Any]") -> "ClusterClient":
        """An ApiClient for threads that also takes client certificates, and tries a request
        again that the server refused the credential of. Nothing is run or sent before the first
        request. ConfigInvalid."""
        from store_plugin.access.clients.threaded import ClusterClient

        return ClusterClient(self.member(profile))

    def connect_aio(self, profile: "ClusterProfile | Mapping[str, Any]") -> "AsyncClusterClient":
        """The same for asyncio; on the loop that it is to work on."""
        from store_plugin.access.clients.aio import AsyncClusterClient

        return AsyncClusterClient(self.member(profile))

    def close(self) -> None:
        """Run no more plugins and end those that run, remove certificates. Whoever waits for a
        credential gets StoreUnavailable."""
        self._giving_up.tell()
        self._pool.shutdown(wait=False)
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _login(self, key: str, provider: Provider, call: ExecCall) -> tuple[Login, CertificateFile]:
        """One for all users of one cluster, and its certificate's file."""
        with self._lock:
            if key not in self._logins:
                login = Login(partial(self._runner(provider).run, call), self._pool)
                self._logins[key] = login, self._files.file()
            self._logins.move_to_end(key)
            if len(self._logins) > MOST_LOGINS:
                self._logins.popitem(last=False)
            return self._logins[key]

    def _runner(self, provider: Provider) -> Runner:
        options = self._options
        trust = ExecutableTrust(
            [provider],
            require_digest=options.get("require_digest", False),
            trusted_keys=options.get("trusted_keys"),
        )
        timeout, on_output = options.get("timeout", TIMEOUT), options.get("on_output")
        return Runner(options.get("verify") or trust, timeout, on_output, self._giving_up)


def _profile(profile: "ClusterProfile | Mapping[str, Any]") -> ClusterProfile:
    return profile if isinstance(profile, ClusterProfile) else ClusterProfile.from_object(profile)


def _key(provider: Provider, call: ExecCall) -> str:
    """What tells runs apart: everything that a plugin sees, and who vouches for it. A digest, as
    there may be secrets in its environment."""
    seen = [call.provider, call.command, call.arguments, sorted(call.environment.items())]
    vouched = [provider.digest, provider.signature]
    return hashlib.sha256(json.dumps([*seen, *vouched, info_text(call.info)]).encode()).hexdigest()
