"""Everything that a cluster declares, read once: for a check, not for serving."""

from collections.abc import Iterable, Mapping

from store_plugin.cluster_api import ClusterApi
from store_plugin.config.credentials.origins import secrets_of
from store_plugin.config.declarations import DeclaredConfig, Problem, SecretName
from store_plugin.config.kinds import Kinds
from store_plugin.config.kubernetes.configs import KindTarget, Taken
from store_plugin.config.kubernetes.secrets import ABSENT, SecretTarget, scopes_of
from store_plugin.config.merging import NoSecret, Reading, SecretData
from store_plugin.errors import StorePluginError, StoreUnavailable
from store_plugin.watching.requests import Collection, Forgotten, Listing
from store_plugin.watching.watch import Target

_TRIES = 3


async def read_cluster(api: ClusterApi, kinds: Kinds) -> Reading:
    """What is there now. What may not be read is a problem; StoreUnavailable where there is no
    answer."""
    gathered = _Gathered()
    for api_version, kind in kinds:
        target = KindTarget(api_version, kind, kinds, gathered)
        if refused := await _read(api, target.collection, target):
            gathered.refuse(target, refused)
    wanted = {name for config in gathered.configs for name in secrets_of(config.spec)}
    secrets = await _secrets(api, wanted)
    return Reading(tuple(gathered.configs), secrets, tuple(sorted(gathered.problems)))


class _Gathered:
    """Keeps what kinds declare: a `store_plugin.config.kubernetes.configs.Sink`."""

    def __init__(self) -> None:
        self._taken: dict[str, list[DeclaredConfig]] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}

    async def take(self, kind: KindTarget, taken: Taken) -> None:
        key = f"{kind.kind}.{kind.api_version}"
        self._taken.setdefault(key, []).extend(taken.declared)
        self._problems[key] = taken.problems

    def refuse(self, kind: KindTarget, why: str) -> None:
        self._problems[f"refused {kind.kind}.{kind.api_version}"] = (Problem(kind.collection.what, 0, why),)

    @property
    def configs(self) -> Iterable[DeclaredConfig]:
        return [config for taken in self._taken.values() for config in taken]

    @property
    def problems(self) -> Iterable[Problem]:
        return [problem for found in self._problems.values() for problem in found]


async def _read(api: ClusterApi, collection: Collection, target: Target) -> str | None:
    """Fill the target; returns why that is refused."""
    for _ in range(_TRIES):
        try:
            await target.listed(Listing(api, collection).pages())
        except Forgotten:
            continue
        except StoreUnavailable:
            raise
        except StorePluginError as error:
            return error.message
        return None
    raise StoreUnavailable(f"{collection.what} change faster than they can be listed")


async def _secrets(api: ClusterApi, wanted: Iterable[SecretName]) -> SecretData:
    found: dict[SecretName, Mapping[str, bytes] | NoSecret] = {}
    for scope in scopes_of(wanted):
        target = SecretTarget(scope, _nobody)
        refused = await _read(api, scope.collection, target)
        missing = ABSENT if refused is None else NoSecret(f"cannot be read: {refused}")
        for name in scope.names:
            found[SecretName(scope.namespace, name)] = target.data.get(name, missing)
    return found


def _nobody() -> None:
    """Who wants to be told of changes."""
