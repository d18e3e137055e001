"""A cluster that has our CRDs, as somebody would install them: with what is committed."""

from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT
from tests.support.kubernetes import Cluster

CRDS = ROOT / "crds"


def committed() -> list[Path]:
    return sorted(CRDS.glob("*.yaml"))


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Cluster:
    """The cluster, once it serves every kind."""
    for path in committed():
        cluster.define(yaml.safe_load(path.read_text()))
    return cluster
