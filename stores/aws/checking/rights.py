"""Whether the identity may do what a config needs, found out without doing it."""

import asyncio
import re
from collections.abc import Sequence
from uuid import uuid4

from store_plugin.errors import InvalidRequest, StoreDenied
from stores._samples import in_scope, scopes_of
from stores.aws.access.clients import SharedClient
from stores.aws.checking.probes import Probe, not_tried, probes_of
from stores.aws.errors import Refused
from stores.aws.spec import AWSSpec

_MOST_SCOPES = 3
_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
_IAM = {"SecretsManager": "secretsmanager", "ParameterStore": "ssm"}
_USER = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::\d+:[\w/+=,.@-]+")


async def check_rights(spec: AWSSpec, client: SharedClient, config: str) -> list[str]:
    """Warnings. StoreDenied where the identity lacks some of what get, apply and delete need;
    reading alone is a thing that people want, and a warning."""
    named = scopes_of(spec)[:_MOST_SCOPES]
    lacking: dict[str, str] = {}
    probes: list[Probe] = []
    for scope in named or ("store-plugin",):
        probes = probes_of(spec, _unused(spec, scope))
        lacking |= await _denied(probes, client, config)
    if not lacking:
        return []
    advice = f"allow {_actions(spec, lacking)} on {resource_of(spec)}"
    if lacking.keys() == {probe.operation for probe in probes if not probe.reads}:
        return [f"read-only: apply and delete are denied; to allow them {advice}, and {not_tried(spec)}"]
    where = (
        "" if named else "; where a policy is for some scopes only, name these in access to have them tried"
    )
    raise StoreDenied(f"{_who(lacking)} may not do all that is needed: {advice}{where}")


def resource_of(spec: AWSSpec) -> str:
    """The resource of a statement that is about the config's secrets."""
    prefix = f"{spec.prefix}/*" if spec.prefix else "*"
    kind = "secret:" if spec.service == "SecretsManager" else "parameter/"
    return f"arn:{_partition(spec.region)}:{_IAM[spec.service]}:{spec.region}:*:{kind}{prefix}"


async def _denied(probes: Sequence[Probe], client: SharedClient, config: str) -> dict[str, str]:
    """What AWS says of each operation that is not allowed. Raises what has nothing to do with
    rights: a login that failed, nobody there."""
    attempts = [_tried(probe, client, config) for probe in probes]
    found = await asyncio.gather(*attempts, return_exceptions=True)
    for outcome in found:
        if isinstance(outcome, BaseException):
            raise outcome
    outcomes = zip(probes, found, strict=True)
    return {probe.operation: said for probe, said in outcomes if isinstance(said, str)}


async def _tried(probe: Probe, client: SharedClient, config: str) -> str | None:
    expect = probe.nothing_there | _DENIED
    try:
        await client.call(probe.operation, f"{config}: {probe.operation}", expect, **probe.parameters)
    except Refused as refused:
        if not isinstance(refused.error, StoreDenied | InvalidRequest):
            raise refused.error from None  # the login was denied, not the call
        return refused.error.message if refused.code in _DENIED else None
    except InvalidRequest:
        return None  # a scope that the service takes no names in: nothing to tell about rights
    return None


def _unused(spec: AWSSpec, scope: str) -> str:
    """A name that nobody has, so that no call about it can do anything."""
    prefix = f"{spec.prefix}/" if spec.prefix else ""
    root = "/" if spec.service == "ParameterStore" else ""
    return f"{root}{prefix}{in_scope(scope)}-{uuid4().hex}"


def _actions(spec: AWSSpec, lacking: dict[str, str]) -> str:
    return ", ".join(f"{_IAM[spec.service]}:{operation}" for operation in lacking)


def _who(lacking: dict[str, str]) -> str:
    """The identity, as AWS names it in what it refuses."""
    found = next((user for text in lacking.values() for user in _USER.findall(text)), None)
    return found or "the identity"


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
