"""A new version of a plugin with the settings of the one before: what `plugin update` does besides
installing and enabling."""

from store_plugin.errors import InvalidRequest, PluginNotFound
from store_plugin.lifecycle.administration.origins import Origin
from store_plugin.lifecycle.administration.registering import Registrar, RegistrationConfig, registration
from store_plugin.lifecycle.registration import Registration


def settings_of(registrar: Registrar, name: str) -> Registration:
    """The version whose settings count: the one to run, else the newest. PluginNotFound."""
    enabled = registrar.catalog.enabled().get(name)
    if enabled is not None:
        return enabled.registration
    versions = registrar.catalog.versions(name)
    if not versions:
        raise PluginNotFound(
            f"no plugin {name} is registered: install, register and enable its first version"
        )
    return versions[-1]


def check_same(name: str, found: str, origin: Origin | None) -> None:
    """InvalidRequest where the executable, or who offers it, says that it is another plugin."""
    others = {found, origin.name if origin and origin.name else name} - {name}
    if others:
        raise InvalidRequest(f"it is the plugin {others.pop()}, not {name}: install and register it as that")


def next_version(registrar: Registrar, before: Registration, version: str, digest: str) -> Registration:
    """Register it, unless it is already. AlreadyRegistered where another executable is that version,
    InvalidRequest, PluginUntrusted."""
    for known in registrar.catalog.versions(before.name):
        if (known.version, known.digest) == (version, digest):
            return known
    config = RegistrationConfig(role=before.role, run=before.run)
    new = registration(before.name, version, digest, registrar.signer_of(digest), config)
    registrar.register(new)
    return new
