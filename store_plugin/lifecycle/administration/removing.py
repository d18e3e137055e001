"""The end of a plugin, said in words: what is taken out and what is deleted."""

from collections.abc import Iterator

from store_plugin.lifecycle.administration.choosing import installed_executable
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.lifecycle.layout import Layout


def remove(layout: Layout, said: str, version: str | None) -> Iterator[str]:
    """Remove a plugin by its name, or an executable that is not registered by its digest. A line for
    each thing that is gone. PluginNotFound, AlreadyRegistered, InvalidRequest."""
    registrar = Registrar(layout)
    if registrar.catalog.versions(said):
        taken, gone = registrar.remove(said, version)
        yield from (f"deregistered {one.name} {one.version}" for one in taken)
    else:
        digest, _ = installed_executable(registrar, f"{said}=={version}" if version else said)
        registrar.delete_content(digest)
        gone = [digest]
    yield from (f"deleted sha256 {digest}" for digest in gone)
