"""Which executable a person means: a file, a digest or the beginning of one, or a plugin's name."""

import re
from pathlib import Path

from store_plugin.errors import InvalidRequest, PluginNotFound
from store_plugin.lifecycle.administration.origins import Origin
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.trust import digest_of

_START_OF_A_DIGEST = re.compile(r"(sha256:)?(?P<digest>[0-9a-f]{8,64})\Z")


def installed_executable(registrar: Registrar, said: str) -> tuple[str, Origin | None]:
    """The digest of what is installed, and what is known of it. PluginNotFound, InvalidRequest."""
    digest = _by_file(registrar, said) or _by_digest(registrar, said) or _by_name(registrar, said)
    if digest is None:
        raise PluginNotFound(
            f"{said} is neither a file, nor a digest, nor the name of an installed plugin: "
            "see 'store-plugin plugin available'"
        )
    return digest, registrar.origins.get(digest)


def _by_file(registrar: Registrar, said: str) -> str | None:
    path = Path(said)
    if not path.is_file():
        return None
    digest = digest_of(path)
    if not registrar.content.has(digest):
        raise PluginNotFound(f"{said} is not installed: store-plugin plugin install {said}")
    return digest


def _by_digest(registrar: Registrar, said: str) -> str | None:
    if not (match := _START_OF_A_DIGEST.match(said)):
        return None
    found = [digest for digest in registrar.content.digests() if digest.startswith(match["digest"])]
    if len(found) > 1:
        raise InvalidRequest(f"several executables have a digest that begins with {said}: write more of it")
    return found[0] if found else None


def _by_name(registrar: Registrar, said: str) -> str | None:
    """The one installed last: of a repository's or a build's files the name is known."""
    name, _, version = said.partition("==")
    for origin in registrar.origins.all():
        if origin.name == name and version in ("", origin.version) and registrar.content.has(origin.digest):
            return origin.digest
    return None
