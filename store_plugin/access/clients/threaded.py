"""Clients of the kubernetes library for threads, logged in with what exec plugins give."""

import threading
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.rest import RESTClientObject
from urllib3.util.retry import Retry

from store_plugin.access.clients.logins import Login
from store_plugin.access.clients.member import REFUSED, Member, authorized
from store_plugin.access.exec_credential import ExecStatus

_TRIES = 3
"""As many as urllib3 makes where nothing is said."""


class _Token:
    """Asked by the library before each request: puts the token of now into the configuration."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._shown = threading.local()

    def __deepcopy__(self, _memo: dict[int, Any]) -> "_Token":
        return self

    def __call__(self, configuration: Configuration) -> None:
        status = self._member.login.current()
        configuration.api_key["BearerToken"] = self._member.bearer(status)
        self._shown.status = status

    def refused(self) -> None:
        """The server refused what this thread showed last."""
        status = getattr(self._shown, "status", None)
        if status is not None:
            self._member.login.refused(status)


class _Watching(Retry):
    """The usual retries of urllib3, which see each answer: a refusal is told to the login.

    The request is not sent again, as in client-go: the next one has a new token.
    """

    def __init__(self, *arguments: Any, token: _Token, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._token = token

    def __deepcopy__(self, _memo: dict[int, Any]) -> "_Watching":
        return self

    def new(self, **options: Any) -> "_Watching":
        return super().new(token=self._token, **options)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if status_code == REFUSED:
            self._token.refused()
        return super().is_retry(method, status_code, has_retry_after)


def configuration(member: Member) -> Configuration:
    """For a plain ApiClient. ConfigInvalid where the profile says what cannot be used."""
    made = _bare(member)
    token = _Token(member)
    made.api_key["BearerToken"] = ""  # there is one: the library asks for it
    made.refresh_api_key_hook = token  # type: ignore[assignment]  # the library says None only
    made.retries = _Watching(_TRIES, redirect=False, token=token)
    return made


class ClusterClient(ApiClient):
    """An ApiClient that logs in anew when it must, with a token or a client certificate.

    A request that is refused (401) is sent once more with a new credential: the server did
    nothing of it. Errors of the plugin are raised as classes of `store_plugin.errors`.
    """

    def __init__(self, member: Member) -> None:
        member.check_authority()
        super().__init__(_bare(member))
        self._member = member
        self._login: Login = member.login
        self._certificate: bytes = b""
        self._changing = threading.Lock()

    def param_serialize(self, *arguments: Any, **named: Any) -> Any:
        """What the library makes of a call before it is sent, by `call_api` or, as
        `kubernetes.stream` does, by other means."""
        method, url, headers, *rest = super().param_serialize(*arguments, **named)
        status = self._login.current()
        self._show(status)
        return method, url, authorized(headers, status), *rest

    def call_api(
        self,
        method: Any,
        url: Any,
        header_params: Any = None,
        body: Any = None,
        post_params: Any = None,
        _request_timeout: Any = None,
    ) -> Any:
        def send(status: ExecStatus) -> Any:
            self._show(status)
            headers = authorized(header_params, status)
            return ApiClient.call_api(self, method, url, headers, body, post_params, _request_timeout)

        status = self._login.current()
        response = send(status)
        if response.status != REFUSED:
            return response
        response.response.drain_conn()
        response.response.release_conn()
        self._login.refused(status)
        return send(self._login.current())

    def _show(self, status: ExecStatus) -> None:
        """Connect with this certificate from now on; requests under way keep theirs."""
        if status.certificate == self._certificate:
            return
        with self._changing:
            if status.certificate == self._certificate:
                return
            path = str(self._member.certificate_file(status)) if status.certificate else None
            self.configuration.cert_file = self.configuration.key_file = path
            before, self.rest_client = self.rest_client, RESTClientObject(self.configuration)
            before.close()
            self._certificate = status.certificate


def _bare(member: Member) -> Configuration:
    """Without a login. urllib3 asks for no compressed answers, so there is none to disable; where it is
    sent elsewhere, that is the answer: the cluster is asked and no other server."""
    made = Configuration(**member.arguments())
    made.retries = Retry(_TRIES, redirect=False)
    if member.access.proxy_url:
        made.no_proxy = None  # what the environment says is about its own proxies
    return made
