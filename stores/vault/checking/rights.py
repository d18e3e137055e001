"""Whether the policies allow what a config needs: asked for names in the scopes that the
config's access rules name, or else in the scopes that the policies themselves speak of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hvac.api.system_backend import Capabilities as CapabilitiesApi

from store_plugin.errors import StoreDenied, StorePluginError
from stores._samples import MOST_SCOPES, in_scope, scopes_of
from stores.vault.adapter import VaultAdapter
from stores.vault.checking.policy import Rights, given_by, missing, shown, stanzas
from stores.vault.http.answer import Answer
from stores.vault.kv.engine import KeyValue
from stores.vault.spec import VaultSpec

_POLICIES = "/v1/sys/internal/ui/resultant-acl"
_READ = frozenset({"read"})

RightsOf = Callable[[str], Rights]
"""What a secret needs, by its name or by a pattern of names."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """A secret that is not there, and the pattern that a policy would spell its place with."""

    name: str
    pattern: str


_ANYWHERE = _Sample(in_scope("store-plugin"), "*")


async def check_rights(spec: VaultSpec, key_value: KeyValue, adapter: VaultAdapter) -> list[str]:
    """Warnings. StoreDenied where some of what get, apply and delete need is missing; reading
    alone is a thing that people want, and a warning."""
    samples = [_sample(scope) for scope in scopes_of(spec)] or [_ANYWHERE]
    try:
        given = await _given(key_value, samples, adapter)
    except StoreDenied:
        return ["the rights are not known: the token may not ask sys/capabilities-self (policy default)"]
    if samples == [_ANYWHERE] and not any(map(_speaks, given.values())):
        samples = [_sample(scope) for scope in await _scopes_of_policies(key_value, adapter)]
        if not samples:
            return ["the rights are not known: no policy names a scope in full; name one in access"]
        given = await _given(key_value, samples, adapter)
    return _judged(key_value, samples, given)


def _judged(key_value: KeyValue, samples: Sequence[_Sample], given: Rights) -> list[str]:
    needed = _by_pattern(key_value.needed, samples)
    lacking = _lacking(key_value.needed, samples, given)
    useful = _lacking(key_value.useful, samples, given)
    also = _by_pattern(key_value.useful, samples)
    wanted = {path: rights | also.get(path, frozenset()) for path, rights in needed.items()}
    if not lacking:
        advice = {path: wanted[path] for path in useful}
        return [f"{key_value.why_useful}; let a policy say {stanzas(advice)}"] if useful else []
    advice = {path: wanted[path] for path in lacking}
    if lacking == missing(needed, dict.fromkeys(needed, _READ)):
        return [f"read-only: apply and delete are denied; to allow them let a policy say {stanzas(advice)}"]
    raise StoreDenied(f"the policies do not allow {shown(lacking)}: let one say {stanzas(advice)}")


async def _given(key_value: KeyValue, samples: Sequence[_Sample], adapter: VaultAdapter) -> Rights:
    paths = [path for sample in samples for path in key_value.needed(sample.name)]
    return given_by(await CapabilitiesApi(adapter).get_capabilities(paths))


def _speaks(rights: frozenset[str]) -> bool:
    """Whether a policy is about the path at all: where none is, the server says `deny`."""
    return rights != frozenset({"deny"})


def _by_pattern(rights_of: RightsOf, samples: Sequence[_Sample]) -> Rights:
    return {path: rights for sample in samples for path, rights in rights_of(sample.pattern).items()}


def _lacking(rights_of: RightsOf, samples: Sequence[_Sample], given: Rights) -> Rights:
    """What is missing, by the path of the pattern."""
    found = {}
    for sample in samples:
        lacking = missing(rights_of(sample.name), given)
        for path, pattern in zip(rights_of(sample.name), rights_of(sample.pattern), strict=True):
            if path in lacking:
                found[pattern] = lacking[path]
    return found


async def _scopes_of_policies(key_value: KeyValue, adapter: VaultAdapter) -> list[str]:
    """The scopes below which the token's policies allow something; none where the server
    does not tell."""
    try:
        answer: Answer = await adapter.get(_POLICIES)
        data = answer.json().get("data") or {}
    except StorePluginError:
        return []
    folders = [path.removesuffix("*") for path in key_value.needed("*")]
    paths = [path for kind in ("glob_paths", "exact_paths") for path in data.get(kind) or {}]
    found = (scope for path in paths for folder in folders for scope in _scope_below(folder, path))
    return list(dict.fromkeys(found))[:MOST_SCOPES]


def _scope_below(folder: str, path: str) -> Iterator[str]:
    scope, slash, _ = path.removeprefix(folder).rpartition("/")
    if path.startswith(folder) and slash:
        yield scope


def _sample(scope: str) -> _Sample:
    return _Sample(in_scope(scope), f"{scope}/*")
