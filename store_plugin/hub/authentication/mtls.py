"""Plugins known by their client certificates, which the TLS handshake has verified.

A name is bound to the certificate: whoever runs the authority decides which plugin is which.
"""

from collections.abc import Iterator

from store_plugin.errors import CallerUnknown, PluginRefused
from store_plugin.hub.entrance import Context
from store_plugin.hub.peer import Identity

_ANY_SAN = "x509_subject_alternative_name"
_DNS_SAN = "peer_dns"


async def holder_of_certificate(context: Context) -> Identity:
    """`user` is the certificate's first subject alternative name, `names` are its DNS names.
    CallerUnknown where it has none."""
    alternatives = tuple(_texts(context, _ANY_SAN))
    if not alternatives:
        raise CallerUnknown("the client certificate has no subject alternative name")
    return Identity(alternatives[0], names=tuple(_texts(context, _DNS_SAN)))


async def name_in_certificate(identity: Identity, name: str) -> None:
    """A plugin `vault-eu` shows a certificate with the DNS name `vault-eu`, or with one whose
    first label it is: `vault-eu.team-a.svc`. An address or a URI names no plugin. PluginRefused."""
    if name not in (dns.partition(".")[0] for dns in identity.names):
        raise PluginRefused(
            f"the certificate of {identity.user} is not for a plugin named {name}: "
            f"it needs the DNS name {name}, or one that begins with '{name}.'"
        )


def _texts(context: Context, key: str) -> Iterator[str]:
    return (value.decode("utf-8", "replace") for value in context.auth_context().get(key, ()))
