"""The calls that a service needs, each so that it does nothing: about a secret that is not
there. AWS looks at the rights first, so that what it answers tells whether they suffice."""

from collections.abc import Mapping
from dataclasses import dataclass

from stores.aws.spec import AWSSpec

_VERSION = "00000000-0000-0000-0000-000000000000"
_TAG = "store-plugin-check"
_NO_SECRET = frozenset({"ResourceNotFoundException"})
_NO_PARAMETER = frozenset({"ParameterNotFound", "ParameterVersionNotFound", "InvalidResourceId"})


@dataclass(frozen=True, slots=True)
class Probe:
    """A call about the secret `name`, and the codes that say that there is none."""

    operation: str
    parameters: Mapping[str, object]
    nothing_there: frozenset[str]
    reads: bool = False
    """Whether a get needs it."""


def probes_of(spec: AWSSpec, name: str) -> list[Probe]:
    """What can be tried of all that the config's service needs. Not among them: CreateSecret
    and PutParameter, which would create something."""
    if spec.service == "ParameterStore":
        return _parameter(name)
    return [*_secret(name), *(_replication(spec, name) if spec.secrets_manager.replica_regions else ())]


def not_tried(spec: AWSSpec) -> str:
    """The operation that creates."""
    return "CreateSecret" if spec.service == "SecretsManager" else "PutParameter"


def _secret(name: str) -> list[Probe]:
    tags = {"Tags": [{"Key": _TAG, "Value": ""}]}
    stage = {"VersionStage": _TAG, "RemoveFromVersionId": _VERSION}
    put = {"SecretString": "{}", "ClientRequestToken": _VERSION, "VersionStages": [_TAG]}
    calls: Mapping[str, Mapping[str, object]] = {
        "PutSecretValue": put,
        "UpdateSecretVersionStage": stage,
        "TagResource": tags,
        "UntagResource": {"TagKeys": [_TAG]},
        "RestoreSecret": {},
        "DeleteSecret": {"RecoveryWindowInDays": 7},
    }
    reads = [Probe(one, {"SecretId": name}, _NO_SECRET, True) for one in ("GetSecretValue", "DescribeSecret")]
    return [*reads, *(Probe(one, {"SecretId": name, **more}, _NO_SECRET) for one, more in calls.items())]


def _replication(spec: AWSSpec, name: str) -> list[Probe]:
    region = spec.secrets_manager.replica_regions[0].region
    calls: Mapping[str, Mapping[str, object]] = {
        "ReplicateSecretToRegions": {"AddReplicaRegions": [{"Region": region}]},
        "RemoveRegionsFromReplication": {"RemoveReplicaRegions": [region]},
    }
    return [Probe(one, {"SecretId": name, **more}, _NO_SECRET) for one, more in calls.items()]


def _parameter(name: str) -> list[Probe]:
    resource: Mapping[str, object] = {"ResourceType": "Parameter", "ResourceId": name}
    calls: Mapping[str, Mapping[str, object]] = {
        "DeleteParameter": {"Name": name},
        "AddTagsToResource": {**resource, "Tags": [{"Key": _TAG, "Value": ""}]},
        "RemoveTagsFromResource": {**resource, "TagKeys": [_TAG]},
    }
    return [
        Probe("GetParameter", {"Name": name, "WithDecryption": True}, _NO_PARAMETER, True),
        Probe("ListTagsForResource", resource, _NO_PARAMETER, True),
        Probe("GetParameters", {"Names": [name], "WithDecryption": True}, _NO_PARAMETER),
        *(Probe(one, parameters, _NO_PARAMETER) for one, parameters in calls.items()),
    ]
