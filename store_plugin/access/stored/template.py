"""Names of secrets in which a cluster's profile fills in a part.

Who runs the plugin writes the template, `fleet/{cluster}`; a profile's author says which
`cluster` it is, in the extension `client.authentication.k8s.io/exec`. So that an author never
gets at what is somebody else's, the first segment is always fixed, and a part is filled in with
one that cannot hold a slash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from store_plugin.access.exec_credential import ExecInfo
from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName

_PLACE = re.compile(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_TEXT = re.compile(r"[!-~]{1,1024}\Z")
_LONGEST_PART = 253


@dataclass(frozen=True, slots=True)
class Template:
    """Text with places, `{name}`, that the cluster's extension fills."""

    text: str

    @property
    def chosen(self) -> bool:
        """Whether the extension has a say."""
        return _PLACE.search(self.text) is not None

    def filled(self, info: ExecInfo) -> str:
        """InvalidRequest where the extension does not say what it has to."""
        return _PLACE.sub(lambda place: _value(info, place[1], _TEXT), self.text)


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A scoped name with such places after its first segment."""

    template: Template

    @classmethod
    def parse(cls, text: str) -> Self:
        """InvalidRequest for what can never become a scoped name."""
        first, _, _ = text.partition("/")
        if _PLACE.search(first):
            raise InvalidRequest(
                f"{text!r}: the first segment of the name has to be fixed, as in fleet/{{cluster}}"
            )
        ScopedName.parse(_PLACE.sub("x", text))
        return cls(Template(text))

    @property
    def chosen(self) -> bool:
        return self.template.chosen

    def filled(self, info: ExecInfo) -> ScopedName:
        """InvalidRequest as for a template, and for parts that make no name."""
        return ScopedName.parse(_PLACE.sub(lambda place: _value(info, place[1], _PART), self.template.text))


def _value(info: ExecInfo, place: str, allowed: re.Pattern[str]) -> str:
    """What the extension says of one place. The value is the author's: it is not shown."""
    if info.cluster is None:
        raise InvalidRequest(
            f"{{{place}}} needs the cluster: set provideClusterInfo: true in the exec config"
        )
    config = info.cluster.config
    value = config.get(place) if isinstance(config, Mapping) else None
    if value is None:
        raise InvalidRequest(
            f"the cluster says no {place!r}: its extension client.authentication.k8s.io/exec needs it"
        )
    if not isinstance(value, str) or len(value) > _LONGEST_PART or not allowed.match(value):
        raise InvalidRequest(f"what the cluster's extension says as {place!r} is not allowed in a name")
    return value
