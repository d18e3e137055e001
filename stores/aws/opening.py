"""Opens an AWS store. Imported with the first use of one: boto3 is not cheap."""

from pathlib import Path

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Environment
from stores.aws.access.client import target_of
from stores.aws.access.clients import Clients, SharedClient
from stores.aws.access.credentials import login_of
from stores.aws.parameter_store import ParameterStore
from stores.aws.secrets_manager import SecretsManager
from stores.aws.service import Service
from stores.aws.spec import AWSSpec
from stores.aws.store import AWSStore

__all__ = ["Clients", "open_store"]


def open_store(spec: AWSSpec, environment: Environment, clients: Clients, pod_token: Path) -> AWSStore:
    """A store that makes its first request when it is first used. Raises ConfigInvalid."""
    credentials, log = environment.credentials, environment.log
    client = SharedClient(clients, target_of(spec, login_of(spec.auth, credentials, pod_token)))

    def credentials_changed() -> None:
        try:
            client.move(target_of(spec, login_of(spec.auth, credentials, pod_token)))
        except ConfigInvalid as error:
            log.warning("new credentials refused, the ones before stay in use", reason=error.message)

    unsubscribe = credentials.subscribe(credentials_changed)
    return AWSStore(spec, _service(spec, client, environment), client, environment.config, unsubscribe)


def _service(spec: AWSSpec, client: SharedClient, environment: Environment) -> Service:
    config = environment.config
    if spec.service == "SecretsManager":
        return SecretsManager(client, spec.prefix, spec.secrets_manager, config, environment.log)
    return ParameterStore(client, spec.prefix, spec.parameter_store, config, spec.region, environment.log)
