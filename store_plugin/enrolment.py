"""Enrolment as both ends know it: variables, methods, and the names in a plugin's certificate.

docs/wire.md, "Enrolment".
"""

import re
from dataclasses import dataclass
from typing import Self

from store_plugin._proto import lifecycle_pb2 as proto
from store_plugin.stream.frames import is_plugin_name

SERVICE = proto.DESCRIPTOR.services_by_name["Enrolment"].full_name
ENROL = f"/{SERVICE}/Enrol"
RENEW = f"/{SERVICE}/Renew"

ENDPOINT_VARIABLE = "STORE_PLUGIN_ENROL_ENDPOINT"
CA_FILE_VARIABLE = "STORE_PLUGIN_ENROL_CA_FILE"
TOKEN_VARIABLE = "STORE_PLUGIN_TOKEN"  # noqa: S105  # its name

TRIAL_VARIABLE = "STORE_PLUGIN_HUB_ENDPOINT"
"""Where the hub is, for a plugin that somebody tries out: it needs no certificate there."""

HUB_NAME = "hub.store-plugin"
"""DNS name in the hub's certificate, besides its loopback addresses."""

_SCHEME = "store-plugin://"
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}\Z")


def is_instance_id(text: str) -> bool:
    """Whether `text` can name an instance: at most 128 letters, digits and `.+_-`."""
    return _INSTANCE.match(text) is not None


@dataclass(frozen=True, slots=True)
class PluginInstance:
    """One process of a plugin, as its certificate names it."""

    name: str
    instance: str

    @property
    def dns(self) -> str:
        """The DNS name in the certificate. Its first label is the plugin's name."""
        return f"{self.name}.plugin"

    @property
    def uri(self) -> str:
        """The URI in the certificate."""
        return f"{_SCHEME}{self.name}/{self.instance}"

    @classmethod
    def from_uri(cls, uri: str) -> Self | None:
        """What `uri` names; None where it names no instance of a plugin."""
        if not uri.startswith(_SCHEME):
            return None
        name, _, instance = uri.removeprefix(_SCHEME).partition("/")
        return cls(name, instance) if is_plugin_name(name) and is_instance_id(instance) else None
