"""Where a client's credentials come from, told to botocore as its only credential provider.

botocore takes new temporary credentials before the old ones end, in the request that finds
them old, once for all who wait. Nothing here runs in the background. Everything here
blocks: it runs on a client's threads.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    AssumeRoleWithWebIdentityCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.credentials import Credentials as Keys
from botocore.session import Session

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Credentials
from stores.aws import tags
from stores.aws.spec import Auth, Role

_METHOD = "store-plugin"


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in, with the values of all references."""

    auth: Auth
    pod_token: Path
    values: Mapping[str, str] = field(repr=False)
    """Of the references, by their path in the spec."""

    @property
    def is_temporary(self) -> bool:
        """Whether a new login gives new credentials; static keys stay what they are."""
        return bool(self.auth.roles) or self.auth.method != "Static"

    @property
    def key(self) -> str:
        """The same for logins that end in the same identity; tells nothing about secrets."""
        web_identity = self.auth.web_identity
        parts = [
            self.auth.method,
            [role.model_dump() for role in self.auth.roles],
            [web_identity.role_arn, web_identity.session_name, str(self.pod_token)] if web_identity else [],
            self.auth.sts_endpoint,
            sorted(self.values.items()),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def login_of(auth: Auth, credentials: Credentials, pod_token: Path) -> Login:
    """The login as it is now. ConfigInvalid where a credential is missing or is no text."""
    paths = ("auth.static.accessKeyID", "auth.static.secretAccessKey", "auth.static.sessionToken")
    values = {path: _text(credentials, path) for path in paths if credentials.has(path)}
    if auth.web_identity and credentials.has("auth.webIdentity.tokenSource"):
        values["auth.webIdentity.tokenSource"] = _text(credentials, "auth.webIdentity.tokenSource")
    for needed in paths[:2] if auth.method == "Static" else ():
        if needed not in values:
            raise ConfigInvalid(f"{needed}: the credential is missing; give it another source than None")
    return Login(auth, pod_token, values)


def provide(session: Session, login: Login, config: Config) -> None:
    """Make the login the session's only source of credentials. Makes no request itself."""
    found: Any = _first(session, login, config)
    for role in login.auth.roles:
        found = _assumed(session, login, config, role, found)
    if found is not None:
        session.register_component("credential_provider", CredentialResolver([_Given(found)]))


class _Given(CredentialProvider):  # type: ignore[misc]  # botocore is not typed
    """A provider of credentials that are there already."""

    METHOD = _METHOD

    def __init__(self, credentials: object) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> object:
        return self._credentials


class _DefaultChain:
    """The credentials that botocore finds by itself, looked for when first needed: the
    search may ask a metadata service."""

    def __init__(self, session: Session) -> None:
        self._resolver = session.get_component("credential_provider")
        self._found: Any = None

    def get_frozen_credentials(self) -> Any:
        self._found = self._found or self._resolver.load_credentials()
        if self._found is None:
            raise ConfigInvalid(
                "the default chain finds no credentials; set auth, or give the Pod an identity"
            )
        return self._found.get_frozen_credentials()


def _first(session: Session, login: Login, config: Config) -> Any:
    """The credentials before any role; None: botocore's own search is all there is."""
    auth, values = login.auth, login.values
    if auth.method == "Static":
        return Keys(
            values["auth.static.accessKeyID"],
            values["auth.static.secretAccessKey"],
            values.get("auth.static.sessionToken"),
            method=_METHOD,
        )
    if auth.web_identity:
        fetcher = AssumeRoleWithWebIdentityCredentialFetcher(
            _sts(session, login, config),
            _token_loader(login),
            auth.web_identity.role_arn,
            {"RoleSessionName": auth.web_identity.session_name},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, _METHOD)
    return _DefaultChain(session) if auth.roles else None


def _assumed(session: Session, login: Login, config: Config, role: Role, before: Any) -> Any:
    wanted = {
        "RoleSessionName": role.session_name,
        "ExternalId": role.external_id,
        "Tags": tags.to_request(role.session_tags),
        "TransitiveTagKeys": list(role.transitive_tag_keys),
    }
    given = {name: value for name, value in wanted.items() if value}
    fetcher = AssumeRoleCredentialFetcher(_sts(session, login, config), before, role.arn, given)
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, _METHOD)


def _sts(session: Session, login: Login, config: Config) -> Callable[..., Any]:
    """Makes clients of STS, of the region's endpoint unless the config names another."""

    def create(service: str, **arguments: Any) -> Any:
        given = arguments.pop("config", None)
        merged = config.merge(given) if given else config
        return session.create_client(
            service, endpoint_url=login.auth.sts_endpoint, config=merged, **arguments
        )

    return create


def _token_loader(login: Login) -> Callable[[], str]:
    given = login.values.get("auth.webIdentity.tokenSource")

    def load() -> str:
        if given is not None:
            return given
        try:
            return login.pod_token.read_text("utf-8").strip()
        except (OSError, ValueError):
            raise ConfigInvalid(
                f"the token {login.pod_token} cannot be read; annotate the ServiceAccount with its role, "
                "or set auth.webIdentity.tokenSource"
            ) from None

    return load


def _text(credentials: Credentials, path: str) -> str:
    try:
        return credentials.get(path).decode("ascii").strip()
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{path}: the credential is not plain text") from None
