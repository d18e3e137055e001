"""A request for sts:GetCallerIdentity, signed by botocore. Everything here blocks."""

import json
from dataclasses import dataclass, field
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver
from botocore.session import Session

from store_plugin.errors import ConfigInvalid, LoginRefused, StoreUnavailable
from stores.vault.auth_spec import AWSAuth

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
"""For STS, where AWS's chain of credentials asks it."""
_GLOBAL, _GLOBAL_REGION = "aws-global", "us-east-1"
_BODY = "Action=GetCallerIdentity&Version=2011-06-15"
_TYPE = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What the server is to send. The headers hold the signature: whoever has them is us,
    for a few minutes."""

    url: str
    headers_json: str = field(repr=False)
    body: str = _BODY
    method: str = "POST"


def signed_request(spec: AWSAuth, keys: dict[str, str] | None) -> SignedRequest:
    """Signed with `keys`, or with what AWS's own chain finds. ConfigInvalid where that is
    nothing; LoginRefused, StoreUnavailable where finding it takes a call that fails."""
    url = f"{spec.sts_endpoint or _endpoint(spec.region)}/"
    headers = {"Content-Type": _TYPE}
    if spec.header_value:
        headers["X-Vault-AWS-IAM-Server-ID"] = spec.header_value
    request = AWSRequest("POST", url, headers, _BODY)
    SigV4Auth(_identity(keys), "sts", spec.region or _GLOBAL_REGION).add_auth(request)
    return SignedRequest(url, json.dumps(dict(request.headers.items())))


def _endpoint(region: str | None) -> str:
    """By AWS's own table, so that it is right outside of the common partition."""
    resolver = EndpointResolver(create_loader().load_data("endpoints"))
    found = resolver.construct_endpoint("sts", region or _GLOBAL)
    if not found:
        raise ConfigInvalid(f"auth.aws.region: STS is not known in {region}; set stsEndpoint")
    return f"https://{found['hostname']}"


def _identity(keys: dict[str, str] | None) -> Any:
    if keys is not None:
        return ReadOnlyCredentials(keys["accessKeyID"], keys["secretAccessKey"], keys.get("sessionToken"))
    try:
        found = _session().get_credentials()
        if found is not None:
            return found.get_frozen_credentials()
    except ClientError as refused:
        raise LoginRefused(
            f"auth.aws: AWS refuses {refused.operation_name}, which its chain of credentials needs; check "
            "the Pod's role, or set static"
        ) from None
    except (HTTPClientError, NoConnection) as away:
        raise StoreUnavailable(
            f"auth.aws: no credentials, AWS does not answer ({type(away).__name__})", retry_after=1.0
        ) from None
    except BotoCoreError as error:
        raise ConfigInvalid(f"auth.aws: AWS's chain of credentials fails ({type(error).__name__})") from None
    raise ConfigInvalid("auth.aws: AWS's chain finds no credentials; set static, or give the Pod an identity")


def _session() -> Session:
    """botocore would wait for a minute, and ask five times: the login has patience of its own."""
    session = Session()
    session.set_default_client_config(
        Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
    )
    return session
