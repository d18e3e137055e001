"""The name of a secret in the store: a template without code, below the Secret's namespace.

The namespace comes first whatever the template says, and nothing in a name is ever
resolved, so that no tenant can name another's secrets.
"""

import re
from collections.abc import Callable, Mapping

from store_plugin.errors import InvalidRequest
from store_plugin.model import ScopedName
from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.wishes.annotations import REMOTE_NAME

DEFAULT = "{name}"
_PLACE = re.compile(r"\{([^{}]*)\}")
_LONGEST = 1024
_LABEL = "label:"


def remote_name(template: str, namespace: str, name: str, labels: Mapping[str, str]) -> str:
    """`NAMESPACE/…`. In the template `{name}`, `{namespace}` and `{label:KEY}` stand for those of
    the Secret. Refused where something else stands in braces, a label is missing, or what comes
    out is no name."""
    if len(template) > _LONGEST:
        raise _invalid(f"is longer than {_LONGEST} characters")
    values: Mapping[str, Callable[[], str]] = {"name": lambda: name, "namespace": lambda: namespace}

    def filled(place: re.Match[str]) -> str:
        word = place[1]
        if word in values:
            return values[word]()
        if not word.startswith(_LABEL):
            raise _invalid("may hold {name}, {namespace} and {label:KEY} in braces, and nothing else")
        return _label(labels, word.removeprefix(_LABEL))

    below = _PLACE.sub(filled, template)
    try:
        return str(ScopedName.parse(f"{namespace}/{below}"))
    except InvalidRequest as error:
        raise _invalid(f"makes no name: {error.message}") from None


def _label(labels: Mapping[str, str], key: str) -> str:
    if not labels.get(key):
        raise _invalid("names a label that the Secret does not have; add the label, or change the template")
    return labels[key]


def _invalid(what: str) -> Refused:
    return Refused(Reason.INVALID_ANNOTATION, f"the annotation {REMOTE_NAME} {what}")
