"""One storage for the image's tests, with the variants they run."""

from collections.abc import Iterator

import pytest

from tests.support.containers import Containers, containers


@pytest.fixture(scope="session")
def podman() -> Iterator[Containers]:
    with containers() as found:
        yield found


@pytest.fixture(scope="session")
def everything(podman: Containers) -> str:
    """The image's variant `all`."""
    return podman.built("all")
