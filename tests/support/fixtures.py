"""What costs a while to make is made once per session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import kubernetes, openbao
from tests.support.certificates import CertificateAuthority


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openbao.OpenBao]:
    """An OpenBao server in dev mode. Tests mount what they use at names of their own."""
    with openbao.dev_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def ca() -> CertificateAuthority:
    return CertificateAuthority.create()


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority
) -> Iterator[kubernetes.Cluster]:
    """A real Kubernetes API server. Tests use namespaces of their own."""
    with kubernetes.control_plane(tmp_path_factory.mktemp("kubernetes"), ca) as server:
        yield server


@pytest.fixture(scope="session")
def installed(cluster: kubernetes.Cluster) -> kubernetes.Cluster:
    """The cluster, once it serves every kind as somebody would install them: with what is
    committed."""
    for path in sorted((Path(__file__).parents[2] / "crds").glob("*.yaml")):
        cluster.define(yaml.safe_load(path.read_text()))
    return cluster
