"""Fixtures that every test may ask for."""

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, and nothing of what is tested.
settings.register_profile(
    "any-machine", settings(), deadline=None, suppress_health_check=(HealthCheck.too_slow,)
)
settings.load_profile("any-machine")

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
