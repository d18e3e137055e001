"""What a plugin says of itself when it is run with `--describe`."""

import json
from collections.abc import Sequence
from typing import Any

from store_plugin._proto import plugin_stream_pb2 as proto
from store_plugin.stream.features import PROTOCOL_VERSION

DESCRIBE = "--describe"


def manifest(
    name: str,
    version: str,
    *,
    kinds: Sequence[proto.PluginKind],
    services: Sequence[str],
    arguments: Sequence[str],
) -> dict[str, Any]:
    """As a JSON object: see docs/lifecycle.md, "What a plugin says of itself"."""
    return {
        "name": name,
        "version": version,
        "protocolVersions": [str(PROTOCOL_VERSION)],
        "kinds": [
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "plural": kind.plural,
                "schema": json.loads(kind.spec_schema or b"{}"),
            }
            for kind in kinds
        ],
        "services": list(services),
        "arguments": list(arguments),
    }
