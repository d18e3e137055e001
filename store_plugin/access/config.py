"""The consumer: from a ClusterProfile to a client, with the providers it was set up with."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from store_plugin.access.clients.certificates import CertificateFiles
from store_plugin.access.clients.logins import Login
from store_plugin.access.clients.member import Member
from store_plugin.access.exec_credential import info_text
from store_plugin.access.execution.collecting import GivingUp
from store_plugin.access.execution.runner import TIMEOUT, ExecCall, OnOutput, Runner, Verify
from store_plugin.access.execution.trust import ExecutableTrust
from store_plugin.access.planning import planned
from store_plugin.access.profiles import ClusterAccess, ClusterProfile
from store_plugin.access.providers import Provider, read_providers
from store_plugin.errors import ConfigInvalid

if TYPE_CHECKING:
    import kubernetes.aio.client
    import kubernetes.client

    from store_plugin.access.clients.aio import AsyncClusterClient
    from store_plugin.access.clients.threaded import ClusterClient

MOST_LOGINS = 10_000
"""Credentials that are kept; beyond it the one that was not used longest is forgotten."""
_PLUGINS_AT_ONCE = 8


class AccessConfig:
    """What clusters are reached with. For threads and for asyncio; close it, or use it with `with`.

    `require_digest` and `trusted_keys` say which executables are run (`ExecutableTrust`), unless
    `verify` decides. `timeout` (seconds) bounds each run of a plugin, `environ` stands for this
    process's environment, of which plugins see a part, `interactive` lets plugins ask the person
    at standard input, `on_output` takes what they write on standard error.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        verify: Verify | None = None,
        require_digest: bool = False,
        trusted_keys: Path | None = None,
        timeout: float = TIMEOUT,
        environ: Mapping[str, str] | None = None,
        interactive: bool = False,
        on_output: OnOutput | None = None,
    ) -> None:
        self.providers = tuple(providers)
        """In the order of preference."""
        trust = ExecutableTrust(self.providers, require_digest=require_digest, trusted_keys=trusted_keys)
        self._giving_up = GivingUp()
        self._runner = Runner(verify or trust, timeout, on_output, self._giving_up)
        self._environ = None if environ is None else dict(environ)
        self._interactive = interactive
        self._pool = ThreadPoolExecutor(_PLUGINS_AT_ONCE, thread_name_prefix="exec-plugin")
        self._files = CertificateFiles()
        self._lock = Lock()
        self._logins: OrderedDict[str, Login] = OrderedDict()

    @classmethod
    def from_file(cls, file: Path, **options: Any) -> Self:
        """With the providers in a file, JSON or YAML; `options` are the constructor's.
        ConfigInvalid names file, line and field. Blocking."""
        return cls(read_providers(file), **options)

    def choose(self, profile: "ClusterProfile | Mapping[str, Any]") -> tuple[Provider, ClusterAccess]:
        """The first of our providers that the profile names, and how its clients reach the
        cluster. ConfigInvalid where it names none of them, or says what cannot be used."""
        profile = _profile(profile)
        for provider in self.providers:
            if provider.name in profile.accesses:
                return provider, profile.access(provider.name)
        offered = ", ".join(map(repr, profile.accesses)) or "none"
        known = ", ".join(repr(provider.name) for provider in self.providers) or "none"
        raise ConfigInvalid(
            f"no provider for profile {profile}: it names {offered}, the access config has {known}"
        )

    def member(self, profile: "ClusterProfile | Mapping[str, Any]") -> Member:
        """The cluster and our login to it; nothing is run. ConfigInvalid, as `choose`."""
        profile = _profile(profile)
        provider, access = self.choose(profile)
        environ, interactive = self._environ, self._interactive
        call = planned(provider, profile, access, environ=environ, interactive=interactive)
        key = _key(call)
        return Member(str(profile), access, self._login(key, call), self._files, key)

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

    def _login(self, key: str, call: ExecCall) -> Login:
        """One for all users of one cluster."""
        with self._lock:
            if key not in self._logins:
                self._logins[key] = Login(partial(self._runner.run, call), self._pool)
            self._logins.move_to_end(key)
            if len(self._logins) > MOST_LOGINS:
                forgotten, _ = self._logins.popitem(last=False)
                self._files.remove(forgotten)
            return self._logins[key]


def _profile(profile: "ClusterProfile | Mapping[str, Any]") -> ClusterProfile:
    return profile if isinstance(profile, ClusterProfile) else ClusterProfile.from_object(profile)


def _key(call: ExecCall) -> str:
    """What tells runs apart: everything that a plugin sees. A digest, as there may be secrets in
    its environment."""
    seen = [call.provider, call.command, call.arguments, sorted(call.environment.items())]
    return hashlib.sha256(json.dumps([*seen, info_text(call.info)]).encode()).hexdigest()
