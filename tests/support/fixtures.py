"""What costs a while to make is made once per session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import kubernetes, ldap, openbao
from tests.support.certificates import CertificateAuthority
from tests.support.sts import GuardedSTS, guarded_sts
from tests.support.tools import tool

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openbao.OpenBao]:
    """An OpenBao server in dev mode. Tests mount what they use at names of their own."""
    with openbao.dev_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def ca() -> CertificateAuthority:
    return CertificateAuthority.create()


@pytest.fixture(scope="session")
def tls_bao(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openbao.OpenBao]:
    """A server whose certificate is for an address and the name vault.internal."""
    certificate = ca.issue(["vault.internal", "127.0.0.1"])
    with openbao.stored_server(
        tmp_path_factory.mktemp("tls-bao"), certificate=certificate, ca=ca.pem
    ) as server:
        yield server


@pytest.fixture(scope="session")
def plugin_bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openbao.OpenBao]:
    """A server with the logins that OpenBao has left out."""
    plugins = [tool("vault-plugin-auth-aws"), tool("vault-plugin-auth-ldap")]
    with openbao.dev_server(tmp_path_factory.mktemp("plugin-bao"), plugins=plugins) as server:
        yield server


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an LDAP server."""
    with ldap.server(tmp_path_factory.mktemp("ldap")) as address:
        yield address


@pytest.fixture(scope="session")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedSTS]:
    """An STS that checks signatures."""
    with guarded_sts(tmp_path_factory.mktemp("sts")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[kubernetes.Cluster]:
    """A real Kubernetes API server. Tests use namespaces of their own."""
    with kubernetes.control_plane(tmp_path_factory.mktemp("kubernetes"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def with_kinds(cluster: kubernetes.Cluster) -> kubernetes.Cluster:
    """The cluster, once it serves every kind as somebody would install them: with what is
    committed."""
    for crd in _crds():
        cluster.define(crd)
    return cluster


@pytest.fixture(scope="module")
def installed(with_kinds: kubernetes.Cluster) -> Iterator[kubernetes.Cluster]:
    """The same; objects of our kinds that a module leaves there are gone after it, since others
    look at all of a cluster."""
    before = _objects(with_kinds)
    yield with_kinds
    for path in _objects(with_kinds) - before:
        with_kinds.api("DELETE", path)


def _crds() -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted((_ROOT / "crds").glob("*.yaml"))]


def _objects(cluster: kubernetes.Cluster) -> set[str]:
    """Paths of the objects of our kinds, none of which is in a namespace."""
    found = set()
    for spec in (crd["spec"] for crd in _crds()):
        kind = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        found |= {f"{kind}/{item['metadata']['name']}" for item in cluster.api("GET", kind)["items"]}
    return found


@pytest.fixture(scope="session")
def member(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[kubernetes.Cluster]:
    """A second API server, as the member of a fleet whose hub is the first. Another 300 MB: only
    for what needs two."""
    with kubernetes.control_plane(tmp_path_factory.mktemp("member"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def hub(cluster: kubernetes.Cluster) -> kubernetes.Cluster:
    """The cluster, once it serves ClusterProfiles."""
    cluster.define(yaml.safe_load((_ROOT / "examples" / "fleet" / "crd.yaml").read_text()))
    return cluster
