"""Every way not to get an answer is told the same; mistakes of ours are not dressed up as one."""

import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import kubernetes.aio.client
import kubernetes.client
import pytest
import urllib3.exceptions

from store_plugin.cluster_api import ClusterApi, an_answer
from store_plugin.errors import StoreUnavailable
from store_plugin.running import run_now


def classes(*roots: type[Exception]) -> Iterator[type[Exception]]:
    for root in roots:
        yield root
        yield from classes(*root.__subclasses__())


LIBRARIES = {
    *classes(urllib3.exceptions.HTTPError, aiohttp.ClientError),
    kubernetes.client.ApiException,
    kubernetes.aio.client.ApiException,
}
OTHERS = {TimeoutError, ConnectionResetError, ssl.SSLError, ssl.SSLCertVerificationError}


@pytest.mark.parametrize("cls", sorted(LIBRARIES | OTHERS, key=str), ids=lambda cls: cls.__qualname__)
def test_an_error_of_the_http_libraries_means_no_answer(cls: type[Exception]) -> None:
    with pytest.raises(StoreUnavailable, match=rf"no answer \({cls.__name__}\)"), an_answer():
        raise cls.__new__(cls)


def test_the_message_shows_nothing_of_the_error() -> None:
    with pytest.raises(StoreUnavailable) as told, an_answer():
        raise OSError("canary")
    assert "canary" not in str(told.value)


@pytest.mark.parametrize("error", [TypeError("x"), RuntimeError("x"), AttributeError("x")], ids=repr)
def test_a_mistake_stays_what_it_is(error: Exception) -> None:
    class Broken:
        def param_serialize(self, *_: Any, **__: Any) -> Any:
            raise error

        def call_api(self, *_: Any, **__: Any) -> Any:
            raise AssertionError

    with pytest.raises(type(error)) as raised:
        run_now(ClusterApi(Broken()).find("/api/v1/namespaces"))
    assert raised.value is error
