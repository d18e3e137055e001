"""Whether the API server answers, what this ServiceAccount may do there, and the CRDs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from store_plugin.cli._connecting import Finding
from store_plugin.cluster_api import ClusterApi
from store_plugin.config.declarations import SecretName
from store_plugin.config.kinds import Kinds, plural_in

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_VERBS = ("list", "watch")
_ADVICE = "add it to the role: rbac.sidecars and rbac.secrets of the chart, or deploy/rbac/sidecar.yaml"


@dataclass(frozen=True, slots=True)
class Right:
    """What a sidecar does, and must be allowed to."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    @property
    def where(self) -> str:
        """What it is about, for a person."""
        if not self.name:
            return f"{self.resource}.{self.group}"
        return f"Secret {self.namespace}/{self.name}"

    def manifest(self) -> dict[str, str]:
        """As a review spells it."""
        found = {"verb": self.verb, "group": self.group, "resource": self.resource}
        return found | ({"namespace": self.namespace, "name": self.name} if self.name else {})


def rights(kinds: Kinds, secrets: Iterable[SecretName]) -> Iterator[Right]:
    """All that reading configs and their Secrets takes."""
    for api_version, kind in sorted(kinds, key=str):
        for verb in _VERBS:
            yield Right(verb, api_version.partition("/")[0], plural_in(kinds, api_version, kind))
    for secret in sorted(secrets, key=str):
        for verb in _VERBS:
            yield Right(verb, "", "secrets", secret.namespace, secret.name)


async def look_at_rights(api: ClusterApi, wanted: Iterable[Right]) -> list[Finding]:
    """A finding for each right that is missing, or one that all are there. StoreUnavailable
    where nobody answers."""
    missing = [right for right in wanted if not await _may(api, right)]
    if not missing:
        return [Finding("ok", "rights", "this ServiceAccount may read store configs and their Secrets")]
    verbs: dict[str, list[str]] = {}
    for right in missing:
        verbs.setdefault(right.where, []).append(right.verb)
    return [Finding("error", where, f"may not {' and '.join(of)}; {_ADVICE}") for where, of in verbs.items()]


async def _may(api: ClusterApi, right: Right) -> bool:
    body = {"spec": {"resourceAttributes": right.manifest()}}
    answer = await api.send("POST", _REVIEWS, body)
    return bool(((answer or {}).get("status") or {}).get("allowed"))
