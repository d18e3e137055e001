"""What a plugin prints with `--help`."""

from collections.abc import Sequence

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.plugin.manifest import DESCRIBE

HUB = "--hub"
HELP = "--help"

_OPTIONS = f"""\
  {HUB} ENDPOINT  connect to a hub: unix:///PATH, unix:///@NAME or https://HOST:PORT
  {DESCRIBE}      print as JSON what it is and serves, and end
  {HELP}          print this, and end

Without them it runs as the sidecar says that has started it: install, register and enable it with
'store-plugin plugin', or try it with 'store-plugin plugin run --dev'.
"""


def usage(name: str, version: str, kinds: Sequence[proto.PluginKind]) -> str:
    """Of the program that a plugin is, its kinds included."""
    brought = "".join(f"It brings the kind {one.kind} ({one.api_version}).\n" for one in kinds)
    return (
        f"Usage: {name} [{HUB} ENDPOINT | {DESCRIBE}]\n\n"
        f"{name} {version}, a plugin of store-plugin.\n{brought}\n{_OPTIONS}"
    )
