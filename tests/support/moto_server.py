"""`python -m tests.support.moto_server PORT`: moto, as one process of its own.

It serves one request at a time, as the real services carry out a call as a whole, and adds
what the tests need: a record of the calls, and faults. What moto gets wrong about Secrets
Manager and matters here is put right in `correct_moto`, by the service's API reference.

Control, beside AWS's own requests: GET /__test__/calls takes the record away and returns it;
POST /__test__/fault `{"operation", "status", "code", "carried_out", "times", "after"}` lets requests
fail, before or after they were carried out; POST /__test__/clear forgets faults and record.
"""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend
from werkzeug.serving import WSGIRequestHandler, make_server

Start = Callable[..., Any]
App = Callable[[dict[str, Any], Start], Iterable[bytes]]

MARKED = "You can't perform this operation on the secret because it was marked for deletion."


def correct_moto() -> None:
    """Refuse to change a secret that is scheduled for deletion (InvalidRequestException)."""
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


class Bench:
    """moto's application with a record, faults, and one request at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._turn = threading.Lock()
        self._calls: list[str] = []
        self._faults: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/__test__/"):
            return self._control(path.rpartition("/")[2], _body(environ), start)
        operation = _operation(environ)
        with self._turn:
            self._calls.append(operation)
            fault = self._fault(operation)
            if fault is None or fault["carried_out"]:
                answer = list(self._app(environ, start if fault is None else _nothing))
        return answer if fault is None else _failed(fault, start)

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

    def _control(self, what: str, body: bytes, start: Start) -> Iterable[bytes]:
        with self._turn:
            calls, self._calls = self._calls, []
            if what == "fault":
                self._faults.append(json.loads(body))
            if what == "clear":
                self._faults.clear()
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(calls).encode()]


def _operation(environ: dict[str, Any]) -> str:
    """As JSON services say it in a header, and STS in the body."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    body = _body(environ).decode("latin-1")
    return body.partition("Action=")[2].partition("&")[0] or environ["PATH_INFO"]


def _body(environ: dict[str, Any]) -> bytes:
    """The body, which stays readable."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _nothing(*_: object, **__: object) -> Callable[[bytes], None]:
    return lambda _: None


def _failed(fault: dict[str, Any], start: Start) -> Iterable[bytes]:
    start(f"{fault['status']} Fault", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps({"__type": fault["code"], "message": "a fault of the test"}).encode()]


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
