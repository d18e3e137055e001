"""Secrets in AWS: in Secrets Manager, or as parameters in the Parameter Store of Systems Manager.

boto3 and botocore are imported below here and nowhere else, and not before a store is opened.
"""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from store_plugin.store import Environment, StoreFactory
from stores.aws.spec import AWSSpec

if TYPE_CHECKING:
    from stores.aws.access.clients import Clients
    from stores.aws.store import AWSStore

_POD_TOKEN = Path("/var/run/secrets/eks.amazonaws.com/serviceaccount/token")


class AWSFactory:
    """Opens stores, which share their clients. `pod_token` is the file of the token that
    EKS projects into a Pod for IAM, where a config with WebIdentity names none."""

    spec_model = AWSSpec

    def __init__(self, pod_token: Path = _POD_TOKEN) -> None:
        self._pod_token = pod_token
        self._clients: Clients | None = None

    async def open(self, spec: AWSSpec, environment: Environment) -> "AWSStore":
        """A store that looks for its credentials with its first request."""
        await asyncio.to_thread(import_module, "stores.aws.opening")
        from stores.aws.opening import Clients, open_store

        self._clients = self._clients or Clients()
        return open_store(spec, environment, self._clients, self._pod_token)


factory: StoreFactory[AWSSpec] = AWSFactory()
