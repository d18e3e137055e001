"""`python -m tests.support.moto_server PORT`: moto, as one process of its own.

It serves one request at a time, as the real services carry out a call as a whole, and adds
what the tests need: a record of the calls, and faults. What moto gets wrong about Secrets
Manager and matters here is put right in `correct_moto`, by the service's API reference.

Control, beside AWS's own requests: GET /__test__/calls takes the record away and returns it:
of each request its operation, the access key that signed it, and what was asked of STS;
POST /__test__/fault `{"operation", "status", "code", "carried_out", "times", "after"}` lets requests
fail, before or after they were carried out; POST /__test__/life `SECONDS` sets for how long
sessions live by what STS says; POST /__test__/clear forgets all of these; POST /__test__/guard
lets IAM decide from then on, whose refusals come as the JSON services spell them.
"""

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from moto import settings
from moto.core.exceptions import JsonRESTError
from moto.kms.responses import KmsResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend
from werkzeug.serving import WSGIRequestHandler, make_server

Start = Callable[..., Any]
App = Callable[[dict[str, Any], Start], Iterable[bytes]]

_EXPIRATION = re.compile(rb"<Expiration>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_REFUSAL = re.compile(rb"<ErrorResponse>.*<Code>(\w+)</Code><Message>([^<]*)</Message>", re.DOTALL)
_AS_JSON_SERVICES_SAY = {
    "AccessDenied": "AccessDeniedException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}
MARKED = "You can't perform this operation on the secret because it was marked for deletion."


def correct_moto() -> None:
    """Refuse to change a secret that is scheduled for deletion (InvalidRequestException), and
    answer dry runs of KMS, which look at the key and do nothing (API reference, DryRun)."""
    for method in ("decrypt", "encrypt", "generate_data_key"):
        _answer_dry_runs(method)
    for method in ("put_secret_value", "update_secret_version_stage", "tag_resource", "untag_resource"):
        _refuse_where_deleted(method, 0)
    _refuse_where_deleted("create_secret", 0)


def _refuse_where_deleted(method: str, position: int) -> None:
    original = getattr(SecretsManagerBackend, method)

    def checked(self: SecretsManagerBackend, *args: Any, **kwargs: Any) -> Any:
        name = (
            args[position]
            if args
            else next(kwargs[key] for key in ("secret_id", "name", "arn") if key in kwargs)
        )
        secret = self.secrets.get(name)
        if secret is not None and secret.is_deleted():
            raise InvalidRequestException(MARKED)
        return original(self, *args, **kwargs)

    setattr(SecretsManagerBackend, method, checked)


def _answer_dry_runs(method: str) -> None:
    original = getattr(KmsResponse, method)

    def checked(self: KmsResponse) -> Any:
        if not self._get_param("DryRun"):
            return original(self)
        key_id = self._get_param("KeyId")
        self._validate_key_id(key_id)
        key = self.kms_backend.describe_key(self.kms_backend.get_key_id(key_id))
        if key.key_state == "Disabled":
            raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
        if key.key_state != "Enabled":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        raise JsonRESTError("DryRunOperationException", "The request would have succeeded.")

    setattr(KmsResponse, method, checked)


class Bench:
    """moto's application with a record, faults, and one request at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._turn = threading.Lock()
        self._calls: list[dict[str, Any]] = []
        self._life: int | None = None
        self._faults: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/__test__/"):
            return self._control(path.rpartition("/")[2], _body(environ), start)
        operation, started = _operation(environ), _Started()
        with self._turn:
            self._calls.append(_recorded(operation, environ))
            fault = self._fault(operation)
            if fault is None or fault["carried_out"]:
                answer = self._aged(list(self._app(environ, started)))
        if fault is not None:
            return _failed(fault, start)
        if "HTTP_X_AMZ_TARGET" in environ and (refused := _REFUSAL.search(b"".join(answer))):
            return _refusal(refused, start)
        start(*started.arguments)
        return answer

    def _fault(self, operation: str) -> dict[str, Any] | None:
        for fault in self._faults:
            if fault["operation"] != operation or fault["times"] == 0:
                continue
            if fault["after"] > 0:
                fault["after"] -= 1
                continue
            fault["times"] -= 1
            return fault
        return None

    def _aged(self, answer: list[bytes]) -> list[bytes]:
        """The answer with another end of the session in it, as long as the one before."""
        if self._life is None:
            return answer
        end = datetime.now(UTC) + timedelta(seconds=self._life)
        text = b"<Expiration>" + end.strftime("%Y-%m-%dT%H:%M:%S").encode()
        return [_EXPIRATION.sub(text, part) for part in answer]

    def _control(self, what: str, body: bytes, start: Start) -> Iterable[bytes]:
        with self._turn:
            calls, self._calls = self._calls, []
            if what == "fault":
                self._faults.append(json.loads(body))
            if what == "clear":
                self._faults.clear()
                self._life = None
            if what == "guard":
                settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
            if what == "life":
                self._life = int(body)
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(calls).encode()]


def _operation(environ: dict[str, Any]) -> str:
    """As JSON services say it in a header, and STS in the body."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    body = _body(environ).decode("latin-1")
    return body.partition("Action=")[2].partition("&")[0] or environ["PATH_INFO"]


def _recorded(operation: str, environ: dict[str, Any]) -> dict[str, Any]:
    signed = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    asked = dict(parse_qsl(_body(environ).decode())) if operation.startswith("Assume") else {}
    return {"operation": operation, "key": signed[1] if signed else "", "asked": asked}


def _body(environ: dict[str, Any]) -> bytes:
    """The body, which stays readable."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


class _Started:
    """What moto begins its answer with, which may still become another."""

    arguments: tuple[Any, ...] = ()

    def __call__(self, *arguments: Any) -> Callable[[bytes], None]:
        self.arguments = arguments
        return lambda _: None


def _failed(fault: dict[str, Any], start: Start) -> Iterable[bytes]:
    code, text = fault["code"], "a fault of the test"
    in_xml = fault["operation"].startswith("Assume")
    kind = "text/xml" if in_xml else "application/x-amz-json-1.1"
    start(f"{fault['status']} Fault", [("Content-Type", kind)])
    if in_xml:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
        return [f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()]
    return [json.dumps({"__type": code, "message": text}).encode()]


def _refusal(refused: re.Match[bytes], start: Start) -> Iterable[bytes]:
    """IAM's, which moto answers in XML to everybody."""
    code, text = refused[1].decode(), refused[2].decode()
    start("400 Refused", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps({"__type": _AS_JSON_SERVICES_SAY.get(code, code), "message": text}).encode()]


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object, **__: object) -> None:
        pass


def main() -> None:
    correct_moto()
    app = Bench(DomainDispatcherApplication(create_backend_app))
    make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True, request_handler=_Quiet).serve_forever()


if __name__ == "__main__":
    main()
