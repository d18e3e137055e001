"""What says which exec plugins are run is spelled the same wherever it can be said."""

import click
import pytest

from store_plugin.cli.access.check import check as access_check
from store_plugin.cli.config import check as config_check
from store_plugin.cli.serve import serve

SPELLED = {
    "--access-config": "STORE_PLUGIN_ACCESS_CONFIG",
    "--access-require-digest": "STORE_PLUGIN_ACCESS_REQUIRE_DIGEST",
    "--no-access-require-digest": "STORE_PLUGIN_ACCESS_REQUIRE_DIGEST",
    "--access-trusted-keys": "STORE_PLUGIN_ACCESS_TRUSTED_KEYS",
}


@pytest.mark.parametrize("command", [serve, config_check, access_check], ids=["serve", "config", "access"])
def test_the_options_are_the_same_for_what_runs_and_for_what_checks(command: click.Command) -> None:
    options = (parameter for parameter in command.params if isinstance(parameter, click.Option))
    variables = {name: one.envvar for one in options for name in (*one.opts, *one.secondary_opts)}
    assert {name: variables[name] for name in SPELLED} == SPELLED
    assert ({"--require-digest", "--trusted-keys"} <= variables.keys()) is (command is not serve)
