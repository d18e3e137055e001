"""Names of secrets in which a cluster's profile fills in a part.

Who runs the plugin writes the template, `fleet/{cluster}`; a profile's author says which
`cluster` it is, in the extension `client.authentication.k8s.io/exec`. So that an author never
gets at what is somebody else's, the first segment is fixed or the profile's own namespace, which
its object and not its author says, and a part is filled in with one that cannot hold a slash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from store_plugin.access.exec_credential import PROFILE_NAME, PROFILE_NAMESPACE, ExecInfo
from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName

_PLACE = re.compile(r"\{([A-Za-z][A-Za-z0-9_.-]*)\}")
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_TEXT = re.compile(r"[!-~]{1,1024}\Z")
_LONGEST_PART = 253
_OF_THE_OBJECT = {"profile.namespace": PROFILE_NAMESPACE, "profile.name": PROFILE_NAME}
"""Places that the client itself fills, by the variables it tells them in."""


@dataclass(frozen=True, slots=True)
class Request:
    """What places are filled from."""

    info: ExecInfo
    environ: Mapping[str, str] = field(repr=False)
    """Of the plugin."""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with places, `{name}`, that the cluster's extension or its object fills."""

    text: str

    @property
    def chosen(self) -> bool:
        """Whether whoever made the profile had a say."""
        return _PLACE.search(self.text) is not None

    def filled(self, request: Request) -> str:
        """InvalidRequest where the extension does not say what it has to."""
        return _PLACE.sub(lambda place: _value(request, place[1], _TEXT), self.text)


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A scoped name with such places after its first segment."""

    template: Template

    @classmethod
    def parse(cls, text: str) -> Self:
        """InvalidRequest for what can never become a scoped name."""
        first, _, _ = text.partition("/")
        if set(_PLACE.findall(first)) - {"profile.namespace"}:
            raise InvalidRequest(
                f"{text!r}: the first segment of the name has to be fixed, as in fleet/{{cluster}}, "
                "or {profile.namespace}"
            )
        ScopedName.parse(_PLACE.sub("x", text))
        return cls(Template(text))

    @property
    def chosen(self) -> bool:
        return self.template.chosen

    def filled(self, request: Request) -> ScopedName:
        """InvalidRequest as for a template, and for parts that make no name."""
        return ScopedName.parse(
            _PLACE.sub(lambda place: _value(request, place[1], _PART), self.template.text)
        )


def _value(request: Request, place: str, allowed: re.Pattern[str]) -> str:
    """What fills one place. It is the author's: it is not shown."""
    if place in _OF_THE_OBJECT:
        value: object = request.environ.get(_OF_THE_OBJECT[place])
        missing = f"the client does not tell it ({_OF_THE_OBJECT[place]}), as store_plugin.access does"
    else:
        value, missing = _of_the_extension(request.info, place)
    if value is None:
        raise InvalidRequest(f"{{{place}}} cannot be filled: {missing}")
    if not isinstance(value, str) or len(value) > _LONGEST_PART or not allowed.match(value):
        raise InvalidRequest(f"what fills {{{place}}} is not allowed in a name")
    return value


def _of_the_extension(info: ExecInfo, place: str) -> tuple[object, str]:
    """What the cluster's extension says, and what to do where it says nothing."""
    if info.cluster is None:
        return None, "the plugin is not told of the cluster: set provideClusterInfo: true in the exec config"
    config = info.cluster.config
    missing = f"the cluster's extension client.authentication.k8s.io/exec has to say {place!r}"
    return config.get(place) if isinstance(config, Mapping) else None, missing
