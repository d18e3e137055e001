"""Fixtures that every test may ask for."""

import pytest

pytest.register_assert_rewrite("store_plugin.testing", "tests.support")

from tests.support.fixtures import (  # noqa: E402
    bao,
    ca,
    cluster,
    directory,
    hub,
    installed,
    member,
    plugin_bao,
    sts,
    tls_bao,
    with_kinds,
)

__all__ = [
    "bao",
    "ca",
    "cluster",
    "directory",
    "hub",
    "installed",
    "member",
    "plugin_bao",
    "sts",
    "tls_bao",
    "with_kinds",
]
