"""The copies of a secret in other regions: which are missing, and which are not as they should be."""

from collections.abc import Mapping, Sequence

from store_plugin.model import ScopedName
from stores.aws.spec import ReplicaRegion

IN_SYNC = "InSync"


def missing(wanted: Sequence[ReplicaRegion], there: Mapping[str, str]) -> list[dict[str, str]]:
    """The replicas to add, as a request spells them. `there`: their status by region."""
    return [_requested(replica) for replica in wanted if replica.region not in there]


def amiss(
    name: ScopedName,
    wanted: Sequence[ReplicaRegion],
    there: Mapping[str, str],
    said: Mapping[str, str],
) -> list[str]:
    """What a person should know about the replicas of one secret. `said`: by region, what the
    service says of its status."""
    return [
        f"secret {name} in region {region}: {_state(there.get(region), said.get(region))}"
        for region in (replica.region for replica in wanted)
        if there.get(region) != IN_SYNC
    ]


def _state(status: str | None, said: str | None) -> str:
    if status is None:
        return "the replica is missing; the next write of the secret adds it"
    if status == "InProgress":
        return "the replica is InProgress; check again later"
    reason = f" ({said.rstrip('.')})" if said else ""
    return f"the replica is {status}{reason}; mend that, then replicate the secret again"


def _requested(replica: ReplicaRegion) -> dict[str, str]:
    key = {"KmsKeyId": replica.kms_key_id} if replica.kms_key_id else {}
    return {"Region": replica.region, **key}
