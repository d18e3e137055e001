"""The group of all commands."""

from collections.abc import Mapping

import click

from store_plugin import __version__
from store_plugin.cli._lazy import LazyCommand, LazyGroup

COMMANDS: Mapping[str, LazyCommand] = {
    "serve": LazyCommand("store_plugin.cli.serve", "Serve the External Secret Store protocol."),
    "publisher": LazyCommand(
        "store_plugin.cli.publisher", "Publish the Secrets of a cluster that ask for it."
    ),
    "get": LazyCommand("store_plugin.cli.get", "Show a secret."),
    "apply": LazyCommand("store_plugin.cli.apply", "Merge keys and labels into a secret."),
    "delete": LazyCommand("store_plugin.cli.delete", "Remove keys of a secret, or the whole secret."),
    "kinds": LazyCommand("store_plugin.cli.kinds", "List the kinds of store configs served here."),
    "crds": LazyCommand("store_plugin.cli.crds", "Print the CustomResourceDefinitions, or apply them."),
    "config": LazyCommand("store_plugin.cli.config", "Look after store configs."),
    "doctor": LazyCommand("store_plugin.cli.doctor", "Find out what is wrong, from inside of a Pod."),
    "status": LazyCommand("store_plugin.cli.status", "Show how a running sidecar is doing."),
    "log-level": LazyCommand(
        "store_plugin.cli.log_level", "Show or set the least level that a running sidecar logs.", "log_level"
    ),
    "plugins": LazyCommand("store_plugin.cli.plugins", "Show the plugins of a running sidecar, call them."),
    "copy": LazyCommand("store_plugin.cli.copy", "Copy secrets from one store to another."),
    "exec-credential": LazyCommand(
        "store_plugin.cli.exec_credential", "Be a credential plugin of kubectl.", "exec_credential"
    ),
    "plugin": LazyCommand(
        "store_plugin.cli.plugin", "Look after plugins: install, register, enable, watch, write."
    ),
    "access": LazyCommand(
        "store_plugin.cli.access", "Reach the clusters of a fleet by their ClusterProfiles."
    ),
    "audit": LazyCommand("store_plugin.cli.audit", "Read and check the record of what happened to plugins."),
    "demo": LazyCommand("store_plugin.cli.demo", "Show it all, with a real OpenBao server."),
}

_EPILOG = """\b
Exit codes: 0 done; 1 refused, or something is wrong; 2 wrong usage;
3 the sidecar or the store behind it is not reachable: try again later.

\b
Completion in the shell:
  bash: eval "$(_STORE_PLUGIN_COMPLETE=bash_source store-plugin)"
  zsh:  eval "$(_STORE_PLUGIN_COMPLETE=zsh_source store-plugin)"
  fish: _STORE_PLUGIN_COMPLETE=fish_source store-plugin | source
It knows names of store configs, of plugins, and of those that are connected where
STORE_PLUGIN_CONFIG_DIR, STORE_PLUGIN_PLUGINS_DIR and STORE_PLUGIN_CONTROL_SOCKET are set.
"""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=_EPILOG,
    context_settings={
        "auto_envvar_prefix": "STORE_PLUGIN",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="store-plugin", help="Show the version and exit.")
def cli() -> None:
    """Keep the secrets of Kubernetes operators in external stores.

    Options can also be set by variables of the environment: those that name the sidecar by
    the ones in the help of each command, all others by STORE_PLUGIN_COMMAND_OPTION.
    """
