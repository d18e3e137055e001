"""Fixtures that every test may ask for."""

import pytest

pytest.register_assert_rewrite("store_plugin.testing", "tests.support")

from tests.support.fixtures import bao, ca, cluster, installed  # noqa: E402

__all__ = ["bao", "ca", "cluster", "installed"]
