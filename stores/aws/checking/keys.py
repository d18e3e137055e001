"""Whether the KMS keys of a config can be used: asked by dry runs, which KMS answers with
DryRunOperationException where the call would have been carried out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from store_plugin.errors import ConfigInvalid, StoreDenied, StorePluginError
from stores.aws.access.clients import SharedClient
from stores.aws.errors import Refused
from stores.aws.spec import AWSSpec

_HOSTS = {"SecretsManager": "secretsmanager", "ParameterStore": "ssm"}
_WOULD_SUCCEED = "DryRunOperationException"
_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
_UNUSABLE: Mapping[str, str] = {
    "NotFoundException": "there is no such key or alias in region {region}: create it, or mend kmsKeyID",
    "DisabledException": "the key is disabled in region {region}: enable it",
    "KMSInvalidStateException": "the key in region {region} will be deleted or lacks its material: mend it",
    "InvalidKeyUsageException": "the key in region {region} is not for encryption: name a symmetric one",
    "KeyUnavailableException": "the key in region {region} is not available: is its key store connected?",
}
_EXPECTED = frozenset({_WOULD_SUCCEED, *_DENIED, *_UNUSABLE})
_USES: Mapping[str, Mapping[str, object]] = {
    "Decrypt": {"DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "Encrypt": {"Plaintext": b"check"},
}


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of one region, and where the config names it."""

    field: str
    id: str
    region: str


async def check_keys(spec: AWSSpec, client: SharedClient, config: str) -> list[str]:
    """Warnings. ConfigInvalid where a key is not there or cannot be used."""
    return [told for key in _keys(spec) for told in await _checked(spec, key, client, config)]


def _keys(spec: AWSSpec) -> Iterator[_Key]:
    """The keys that the config names; AWS's own need no rights."""
    options = spec.secrets_manager
    for field, key in (
        ("secretsManager.kmsKeyID", options.kms_key_id),
        ("parameterStore.kmsKeyID", spec.parameter_store.kms_key_id),
    ):
        if key:
            yield _Key(field, key, spec.region)
    for replica in options.replica_regions:
        if replica.kms_key_id:
            yield _Key("replicaRegions.kmsKeyID", replica.kms_key_id, replica.region)


async def _checked(spec: AWSSpec, key: _Key, client: SharedClient, config: str) -> list[str]:
    kms = client.of_service("kms", key.region)
    try:
        refused = [use for use in _uses(spec) if not await _allowed(use, key, kms, config)]
    except ConfigInvalid:
        raise
    except StorePluginError as error:
        return [f"{key.field}: the key could not be checked ({error.message.removeprefix(f'{config}: ')})"]
    finally:
        kms.close()
    if not refused:
        return []
    actions = ", ".join(f"kms:{use}" for use in refused)
    through = f"{_HOSTS[spec.service]}.{key.region}.amazonaws.com"
    return [
        f"{key.field}: {actions} on {key.id} is denied to a direct call: allow it to the identity, unless "
        f"the key's policy allows it through {through} only (kms:ViaService), which cannot be tried"
    ]


def _uses(spec: AWSSpec) -> tuple[str, ...]:
    """What the service does with a key, in the name of who calls it."""
    standard = spec.service == "ParameterStore" and spec.parameter_store.tier == "Standard"
    return ("Decrypt", "Encrypt") if standard else ("Decrypt", "GenerateDataKey")


async def _allowed(use: str, key: _Key, kms: SharedClient, config: str) -> bool:
    try:
        await kms.call(use, f"{config}: {use}", _EXPECTED, KeyId=key.id, DryRun=True, **_USES[use])
    except Refused as refused:
        if refused.code in _UNUSABLE:
            told = _UNUSABLE[refused.code].format(region=key.region)
            raise ConfigInvalid(f"{key.field} {key.id}: {told}") from None
        return refused.code == _WOULD_SUCCEED
    except StoreDenied:
        return False
    return True
