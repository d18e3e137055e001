"""What `config check --connect` finds out about AWS: why a config does not work, in one line
that says what to do.

It writes nothing and reads no secret. Rights are tried with names that do not exist, keys by
KMS's own dry runs (docs/stores/aws.md, "Checking a config").
"""

from stores.aws.access.clients import SharedClient
from stores.aws.checking.keys import check_keys
from stores.aws.checking.rights import check_rights
from stores.aws.service import Service
from stores.aws.spec import AWSSpec

__all__ = ["check"]


async def check(spec: AWSSpec, service: Service, client: SharedClient, config: str) -> list[str]:
    """Warnings about what works and should be known. StoreDenied where the identity lacks what
    an apply or a delete needs, ConfigInvalid where a KMS key cannot be used, and whatever a
    login may raise."""
    return [
        *await check_rights(spec, client, config),
        *await check_keys(spec, client, config),
        *await service.check(),
    ]
