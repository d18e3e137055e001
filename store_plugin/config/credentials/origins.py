"""One credential value from where a reference points: a variable, a file, a Secret's key.

Messages name the reference, never the value. What stands in a reference is shown only
where it looks like a name: a token pasted there by mistake stays hidden.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from store_plugin.config.declarations import SecretName
from store_plugin.config.manifests.reader import NAME
from store_plugin.config.merging import NoSecret, SecretData
from store_plugin.signatures import Signature, signature_of
from store_plugin.spec import CredentialReference, StoreSpec, credential_references

MAX_VALUE_BYTES = 1024 * 1024
"""Largest credential that is read, in bytes."""

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}\Z")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]{0,1023}\Z")
_KEY = re.compile(r"[a-z._-]{1,40}\Z|[A-Z_]{1,40}\Z")


class Missing(Exception):
    """There is no value; the text says why."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment."""

    name: str

    def __str__(self) -> str:
        return f"the environment variable {_shown(self.name, _VARIABLE)}"


@dataclass(frozen=True, slots=True)
class File:
    """A file, by its absolute path."""

    path: str

    def __str__(self) -> str:
        return f"the file {_shown(self.path, _PATH)}"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key of a Secret."""

    secret: SecretName
    key: str

    def __str__(self) -> str:
        namespace, name = _shown(self.secret.namespace, NAME), _shown(self.secret.name, NAME)
        return f"the Secret {namespace}/{name}"


Origin: TypeAlias = Variable | File | SecretKey


def origins_of(spec: StoreSpec) -> dict[str, Origin]:
    """Where the references of a spec point, by their path; without those to None."""
    found = ((path, _origin_of(reference)) for path, reference in credential_references(spec))
    return {path: origin for path, origin in found if origin is not None}


def secrets_of(spec: StoreSpec | None) -> frozenset[SecretName]:
    """The Secrets that the references of a spec point to."""
    origins = origins_of(spec).values() if spec is not None else ()
    return frozenset(origin.secret for origin in origins if isinstance(origin, SecretKey))


def read_origin(origin: Origin, environ: Mapping[str, str], secrets: SecretData) -> bytes:
    """The value, without one trailing newline; an empty one counts as missing. Blocking
    for files. Raises Missing."""
    match origin:
        case Variable():
            value = _variable(origin, environ)
        case SecretKey():
            value = _secret_value(origin, secrets)
        case File():
            value = _file_content(origin)
    if value.endswith(b"\n"):
        value = value[:-1].removesuffix(b"\r")
    if not value:
        raise Missing(f"{origin} is empty")
    return value


def file_signature(origin: File) -> Signature | None:
    """What changes when the file does; None where there is no file. Blocking."""
    try:
        return signature_of(Path(origin.path))
    except (OSError, ValueError):
        return None


def _origin_of(reference: CredentialReference) -> Origin | None:
    if reference.source == "Environment" and reference.env is not None:
        return Variable(reference.env.name)
    if reference.source == "Filesystem" and reference.fs is not None:
        return File(reference.fs.path)
    if reference.source == "Secret" and reference.secret_ref is not None:
        secret = reference.secret_ref
        return SecretKey(SecretName(secret.namespace, secret.name), secret.key)
    return None


def _variable(origin: Variable, environ: Mapping[str, str]) -> bytes:
    text = environ.get(origin.name)
    if text is None:
        raise Missing(f"{origin} is not set")
    return text.encode("utf-8", "surrogateescape")


def _secret_value(origin: SecretKey, secrets: SecretData) -> bytes:
    data = secrets.get(origin.secret)
    if data is None:
        raise Missing(f"{origin} does not exist; declare it as kind: Secret in the config directory")
    if isinstance(data, NoSecret):
        raise Missing(f"{origin} {data.why}")
    if origin.key not in data:
        raise Missing(f"{origin} has no key {_shown(origin.key, _KEY)}")
    return data[origin.key]


def _file_content(origin: File) -> bytes:
    path = Path(origin.path)
    if not path.is_absolute():
        raise Missing("fs.path must be an absolute path")
    try:
        # Only regular files: a pipe would wait for a writer.
        content = _content(path) if signature_of(path) is not None else None
    except FileNotFoundError:
        raise Missing(f"{origin} does not exist") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise Missing(f"{origin} cannot be read: {reason}") from None
    if content is None:
        raise Missing(f"{origin} is not a regular file")
    if len(content) > MAX_VALUE_BYTES:
        raise Missing(f"{origin} is larger than {MAX_VALUE_BYTES} bytes")
    return content


def _content(path: Path) -> bytes:
    """At most one byte more than allowed, so that the size tells."""
    with path.open("rb") as file:
        return file.read(MAX_VALUE_BYTES + 1)


def _shown(text: str, name: re.Pattern[str]) -> str:
    return text if name.match(text) else "(not shown: it does not look like a name)"
