"""A real Kubernetes control plane on loopback: etcd and an API server, without nodes.

One serves a whole session; every test makes a namespace of its own. Its API, spoken here with
nothing but the standard library, sets up what a test needs.
"""

import json
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certificates import CertificateAuthority, private_pem, public_pem
from tests.support.ports import free_port
from tests.support.processes import end
from tests.support.tools import tool
from tests.support.waiting import eventually

ISSUER = "https://kubernetes.default.svc"
_READY_SECONDS = 60.0
_TRIES = 3
_NEW_KIND_SECONDS = 60.0
_IN_FORCE_SECONDS = 60.0
_ADMIN = "admin-token"
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
# A watch counts when it begins, as everything else does.
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
  - level: None
    userGroups: ["system:masters"]
  - level: None
    nonResourceURLs: ["/readyz*"]
  - level: Metadata
"""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server's answer was no success."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body

    @property
    def message(self) -> str:
        """What the API server says to people."""
        return str(json.loads(self.body)["message"])


@dataclass(frozen=True)
class Request:
    """One request as the API server saw it; the admin's are not recorded."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str


class Recorded(list[Request]):
    """Requests out of the audit log, as far as somebody has looked."""

    def __init__(self, log: IO[bytes], user: str) -> None:
        super().__init__()
        self._log = log
        self._user = user
        self._begun = b""

    def look(self) -> "Recorded":
        """Take in what has come since. What is only half written is of a request that is not answered yet."""
        *lines, self._begun = (self._begun + self._log.read()).split(b"\n")
        self += [request for request in map(_request, lines) if self._user in ("", request.user)]
        return self


class Cluster:
    """A control plane. `api` speaks to it as the admin; the rest is built on that.

    What a test breaks with `stop` or `stop_store` it mends with `start` or `start_store`.
    """

    def __init__(self, directory: Path, ca: CertificateAuthority) -> None:
        self._directory = directory
        self._ca = ca
        self._context = ssl.create_default_context(cadata=ca.pem.decode())
        self._etcd = f"http://127.0.0.1:{free_port()}"
        self._port = free_port()
        self.address = f"https://127.0.0.1:{self._port}"
        self._audit = directory / "audit.log"
        self._store = _Server(_etcd_command(directory, self._etcd), directory / "etcd.log")
        self._server = _Server(self._server_command(), directory / "kube-apiserver.log")
        self._given: dict[str, tuple[str, Sequence[Mapping[str, Any]], str]] = {}
        """Rights by their binding."""

    @property
    def ca(self) -> bytes:
        """The authority of its certificate, as PEM."""
        return self._ca.pem

    # The processes.

    def start(self) -> None:
        """Start the API server, and wait until it is ready."""
        self._server.start()
        self._server.wait_until(self._is_ready)

    @property
    def runs(self) -> bool:
        """Whether the API server does."""
        return self._server.runs

    def stop(self) -> None:
        """End the API server: its connections break, its port refuses. It waits for watches
        as long as it is let."""
        self._server.stop()

    def crash(self) -> None:
        """The same at once, without a word to anybody."""
        self._server.stop(gently=False)

    def start_store(self) -> None:
        self._store.start()
        self._store.wait_until(lambda: _answers(f"{self._etcd}/health"))

    def stop_store(self) -> None:
        self._store.stop()

    def close(self) -> None:
        self.crash()
        self.stop_store()

    def compact(self) -> None:
        """Make the store forget all older revisions: a watch that resumes at one gets 410."""
        revision = _post(f"{self._etcd}/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        _post(f"{self._etcd}/v3/kv/compaction", {"revision": revision, "physical": True})

    def _is_ready(self) -> bool:
        try:
            self.api("GET", "/readyz")
        except (ApiError, OSError):
            return False
        return True

    def _server_command(self) -> list[str]:
        directory = self._directory
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, certificate_key = self._ca.issue(("127.0.0.1", "localhost", "kubernetes.default.svc"))
        files = {
            "sa.key": private_pem(key),
            "sa.pub": public_pem(key).encode(),
            "tls.crt": certificate,
            "tls.key": certificate_key,
            "client-ca.crt": self._ca.pem,
            "tokens.csv": f'{_ADMIN},admin,admin,"system:masters"\n'.encode(),
            "audit.yaml": _AUDIT_POLICY.encode(),
        }
        for name, content in files.items():
            (directory / name).write_bytes(content)
        return [
            str(tool("kube-apiserver")),
            f"--etcd-servers={self._etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={directory}",
            f"--tls-cert-file={directory}/tls.crt",
            f"--tls-private-key-file={directory}/tls.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={directory}/sa.pub",
            f"--service-account-signing-key-file={directory}/sa.key",
            "--authorization-mode=RBAC",
            f"--token-auth-file={directory}/tokens.csv",
            f"--client-ca-file={directory}/client-ca.crt",
            f"--audit-policy-file={directory}/audit.yaml",
            f"--audit-log-path={self._audit}",
            "--endpoint-reconciler-type=none",
            "--shutdown-delay-duration=0s",
        ]

    # The API.

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = _ADMIN,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """The JSON answer; ApiError for a status of 400 and above. A kind that is new is asked for
        again, as clients do: the API server answers 429 until its cache has begun."""
        give_up = time.monotonic() + _NEW_KIND_SECONDS
        while True:
            try:
                return self._asked(method, path, body, token, content_type)
            except ApiError as error:
                if error.status != 429 or time.monotonic() > give_up:
                    raise
                time.sleep(0.2)

    def _asked(self, method: str, path: str, body: object, token: str, content_type: str) -> dict[str, Any]:
        request = urllib.request.Request(
            self.address + path,
            method=method,
            headers={"Authorization": f"Bearer {token}", "Content-Type": content_type},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._context) as response:
                text = str(response.read(), "utf-8")
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read().decode()) from None
        return json.loads(text) if text.startswith("{") else {}

    def apply(
        self, manifest: Mapping[str, Any], manager: str = "tests", *, subresource: str = ""
    ) -> dict[str, Any]:
        """Server-side apply of any object whose plural is its kind in lower case and an `s`."""
        query = urllib.parse.urlencode({"fieldManager": manager, "force": "true"})
        path = f"{path_of(manifest)}/{subresource}".rstrip("/")
        return self.api("PATCH", f"{path}?{query}", manifest, content_type=APPLY)

    def define(self, crd: Mapping[str, Any]) -> None:
        """Apply a CRD and wait until its kind is served."""
        self.apply(crd)
        served = f"/apis/{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}"
        eventually(lambda: self.serves(f"{served}/{crd['spec']['names']['plural']}"), _NEW_KIND_SECONDS)

    def serves(self, path: str) -> bool:
        """Whether there is such a collection, ready to be asked."""
        try:
            self.api("GET", path)
        except ApiError as error:
            if error.status in (404, 429):  # not known yet; not ready yet
                return False
            raise
        return True

    # What tests set up.

    def namespace(self) -> str:
        name = f"ns-{uuid4().hex[:10]}"
        self.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def service_account(self, namespace: str, name: str = "sidecar") -> str:
        """The user name of a new ServiceAccount, which may do nothing."""
        self.api("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        return f"system:serviceaccount:{namespace}:{name}"

    def login_account(self, namespace: str, name: str) -> str:
        """The user name of a new ServiceAccount that Vault can log in: it may ask for a review
        of its own token."""
        user = self.service_account(namespace, name)
        review = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
        self.allow(user, [review])
        return user

    def token(self, user: str, *audiences: str, seconds: int = 3600) -> str:
        """A token of the ServiceAccount, as the kubelet would project it into a Pod."""
        _, _, namespace, name = user.split(":")
        spec = {"audiences": list(audiences or (ISSUER,)), "expirationSeconds": seconds}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return str(self.api("POST", path, {"spec": spec})["status"]["token"])

    def allow(self, user: str, rules: Sequence[Mapping[str, Any]], namespace: str = "") -> str:
        """Give a ServiceAccount these RBAC rules, in a namespace or everywhere, in force on return;
        returns the path of the binding, for `take_back`."""
        _, _, its_namespace, its_name = user.split(":")
        kind, scope = ("Role", f"namespaces/{namespace}/") if namespace else ("ClusterRole", "")
        group = "rbac.authorization.k8s.io"
        base = f"/apis/{group}/v1/{scope}{kind.lower()}"
        name = f"role-{uuid4().hex[:10]}"
        self.api("POST", f"{base}s", {"metadata": {"name": name}, "rules": list(rules)})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": its_namespace, "name": its_name}],
        }
        self.api("POST", f"{base}bindings", binding)
        self.await_rights(user, rules, namespace)
        self._given[f"{base}bindings/{name}"] = user, rules, namespace
        return f"{base}bindings/{name}"

    def take_back(self, binding: str) -> None:
        """The rights that `allow` gave, which nothing else gives too; gone on return."""
        user, rules, namespace = self._given.pop(binding)
        self.api("DELETE", binding)
        eventually(lambda: not any(self._may(user, rule, namespace) for rule in rules), _IN_FORCE_SECONDS)

    def await_rights(self, user: str, rules: Sequence[Mapping[str, Any]], namespace: str = "") -> None:
        """Until a user may do what the rules say: the API server takes in roles and bindings beside
        everything else, a moment after they were written."""
        eventually(lambda: all(self._may(user, rule, namespace) for rule in rules), _IN_FORCE_SECONDS)

    def _may(self, user: str, rule: Mapping[str, Any], namespace: str) -> bool:
        """Whether every verb of a rule is allowed, as the API server says of the first thing in it."""
        return all(self._allowed(user, verb, rule, namespace) for verb in rule["verbs"])

    def _allowed(self, user: str, verb: str, rule: Mapping[str, Any], namespace: str) -> bool:
        spec: dict[str, Any] = {"user": user}
        if "nonResourceURLs" in rule:
            spec["nonResourceAttributes"] = {"verb": verb, "path": rule["nonResourceURLs"][0]}
        else:
            resource, _, subresource = rule["resources"][0].partition("/")
            attributes = {"verb": verb, "group": rule["apiGroups"][0], "namespace": namespace}
            attributes |= {"resource": resource, "subresource": subresource}
            attributes["name"] = next(iter(rule.get("resourceNames") or ()), "")
            spec["resourceAttributes"] = attributes
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = self.api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    @property
    def signing_key(self) -> bytes:
        """What the API server signs tokens with, so that a test can make some that it would not."""
        return (self._directory / "sa.key").read_bytes()

    def kubeconfig(self, token: str = _ADMIN) -> dict[str, Any]:
        """A kubeconfig whose user shows `token`."""
        certificate = self._ca.pem.decode()
        cluster = {"server": self.address, "certificate-authority-data": _base64(certificate)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "current-context": "tests",
        }

    # What tests look at.

    @contextmanager
    def recorded(self, user: str = "") -> "Iterator[Recorded]":
        """The requests that arrive meanwhile, of one user or of all but the admin. The list
        is filled at the end, and by who looks before."""
        with self._audit.open("rb") as log:
            log.seek(0, 2)
            found = Recorded(log, user)
            yield found
            found.look()


class _Server:
    """A process and its log."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env={"HOME": str(self._log.parent)}
            )

    @property
    def runs(self) -> bool:
        return not self._ended()

    def stop(self, *, gently: bool = True) -> None:
        process, self._process = self._process, None
        if process:
            end(process, gently=gently)

    def wait_until(self, condition: Callable[[], object]) -> None:
        try:
            eventually(lambda: self._ended() or condition(), _READY_SECONDS)
        except AssertionError:
            raise AssertionError(f"{self._command[0]} is not ready:\n{self._end_of_log()}") from None
        assert not self._ended(), f"{self._command[0]} has ended:\n{self._end_of_log()}"

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _end_of_log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]


@contextmanager
def control_plane(directory: Path, ca: CertificateAuthority) -> Iterator[Cluster]:
    """A running control plane. Skips where its tools were not built."""
    cluster = _started(directory, ca)
    try:
        yield cluster
    finally:
        cluster.close()


def _started(directory: Path, ca: CertificateAuthority) -> Cluster:
    """On other ports, where somebody took one of them before it was bound."""
    for attempt in range(_TRIES):
        own = directory / f"{attempt}"
        own.mkdir()
        cluster = Cluster(own, ca)
        try:
            cluster.start_store()
            cluster.start()
        except BaseException as error:
            cluster.close()
            if "address already in use" not in str(error) or attempt == _TRIES - 1:
                raise
        else:
            return cluster
    raise AssertionError("unreachable")


def path_of(manifest: Mapping[str, Any]) -> str:
    """Where the object of a manifest lives."""
    version, metadata = manifest["apiVersion"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{namespace}/{manifest['kind'].lower()}s/{metadata['name']}"


def _etcd_command(directory: Path, address: str) -> list[str]:
    peers = f"http://127.0.0.1:{free_port()}"
    return [
        str(tool("etcd")),
        f"--data-dir={directory}/etcd",
        f"--listen-client-urls={address}",
        f"--advertise-client-urls={address}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        "--name=only",
        f"--initial-cluster=only={peers}",
        "--unsafe-no-fsync",
    ]


def _request(line: bytes) -> Request:
    event = json.loads(line)
    about = event.get("objectRef") or {"resource": re.sub(r"\?.*", "", event["requestURI"])}
    return Request(
        user=event["user"]["username"],
        verb=event["verb"],
        resource=about.get("resource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _post(url: str, body: object) -> dict[str, Any]:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.loads(response.read())
        return answer


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
