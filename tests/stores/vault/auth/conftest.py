import pytest

from tests.support.openbao import OpenBao


@pytest.fixture
def mount(bao: OpenBao) -> str:
    return bao.mount_kv("v2")
