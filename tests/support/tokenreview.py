"""The one endpoint of a Kubernetes API server that Vault's Kubernetes auth asks, and the
ServiceAccount tokens it believes."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certificates import CertificateAuthority, private_pem


class TokenReviewServer:
    """`with TokenReviewServer(ca) as server:` reviews tokens at `server.address`, over TLS.

    Tokens that `token` made are authentic until `revoke`; all others are not.
    """

    def __init__(self, ca: CertificateAuthority) -> None:
        self.ca = ca
        self._key = private_pem(ec.generate_private_key(ec.SECP256R1()))
        self._valid: dict[str, tuple[str, str]] = {}
        self.reviews = 0

    def __enter__(self) -> "TokenReviewServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = self._context().wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"https://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _context(self) -> ssl.SSLContext:
        certificate, key = self.ca.issue()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with NamedTemporaryFile() as file:
            Path(file.name).write_bytes(certificate + key)
            context.load_cert_chain(file.name)
        return context

    def token(self, namespace: str, account: str) -> str:
        """A new token of a ServiceAccount."""
        claims = {
            "iss": "https://kubernetes.default.svc",
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "iat": int(time()),
            "exp": int(time()) + 600,
            "jti": f"token-{len(self._valid)}",
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": _uid(namespace, account)},
            },
        }
        token = jwt.encode(claims, self._key, algorithm="ES256")
        self._valid[token] = namespace, account
        return token

    def revoke(self, token: str) -> None:
        del self._valid[token]

    def review(self, token: str) -> dict[str, object]:
        """The status of a TokenReview."""
        self.reviews += 1
        if token not in self._valid:
            return {"authenticated": False}
        namespace, account = self._valid[token]
        user = {
            "username": f"system:serviceaccount:{namespace}:{account}",
            "uid": _uid(namespace, account),
            "groups": ["system:serviceaccounts", "system:authenticated"],
        }
        return {"authenticated": True, "user": user}


def _uid(namespace: str, account: str) -> str:
    return f"uid-of-{namespace}-{account}"


def _handler(reviews: TokenReviewServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "status": reviews.review(request["spec"]["token"]),
            }
            body = json.dumps(answer).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
