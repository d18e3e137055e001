"""One cluster of the fleet: where it is, and our login to it. What both kinds of client share."""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from store_plugin.access.clients.certificates import CertificateFile
from store_plugin.access.clients.logins import Login
from store_plugin.access.exec_credential import ExecStatus
from store_plugin.access.profiles import ClusterAccess
from store_plugin.errors import ConfigInvalid

REFUSED = 401


@dataclass(frozen=True, slots=True)
class Member:
    """Made by `AccessConfig.member`."""

    profile: str
    """Its name, for messages."""
    access: ClusterAccess
    login: Login = field(repr=False)
    file: CertificateFile = field(repr=False)
    """Its certificate's, which stays for as long as somebody has a client of it."""
    key: str = field(repr=False)
    """Tells this login from others."""

    def certificate_file(self, status: ExecStatus) -> Path:
        """The certificate and key of `status`, as a file. Blocking; ConfigInvalid where they are
        no pair."""
        path = self.file.write(status)
        try:
            # A password, so that nobody is asked for one where the key has been encrypted.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path, password="")
        except (ssl.SSLError, OSError):
            self.file.remove()
        else:
            return path
        raise ConfigInvalid(
            f"profile {self.profile}: the plugin of provider {self.access.provider!r} answers with a "
            "certificate and a key that are no pair in PEM"
        )

    def check_authority(self) -> None:
        """ConfigInvalid where no TLS library takes the authority of the profile."""
        authority = self.access.certificate_authority_data
        try:
            if authority:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(cadata=authority.decode("ascii"))
        except ssl.SSLError:
            pass
        else:
            return
        raise ConfigInvalid(f"profile {self.profile}: certificate-authority-data holds no certificates")

    def bearer(self, status: ExecStatus) -> str:
        """The header for a client that can show nothing else. ConfigInvalid."""
        if status.token:
            return f"Bearer {status.token}"
        raise ConfigInvalid(
            f"profile {self.profile}: the plugin of provider {self.access.provider!r} answers with a client "
            "certificate: make the client with AccessConfig.connect or connect_aio"
        )

    def arguments(self) -> dict[str, Any]:
        """What both kinds of Configuration are made with."""
        access = self.access
        check_usable(self.profile, access)
        # An empty text would be taken for authorities, none of which is there.
        authority = access.certificate_authority_data.decode("ascii") or None
        return {
            "host": access.server,
            "ca_cert_data": authority,
            "verify_ssl": not access.insecure_skip_tls_verify,
            "tls_server_name": access.tls_server_name or None,
            # Left out: what the environment names.
            **(_proxy(access.proxy_url) if access.proxy_url else {}),
        }


def check_usable(profile: str, access: ClusterAccess) -> None:
    """ConfigInvalid where the profile says what kubectl can use, and these clients cannot."""
    if access.proxy_url.startswith("socks"):
        raise ConfigInvalid(
            f"profile {profile}: proxy-url is of a kind that this client cannot use; "
            "http:// and https:// are, and kubectl takes it as it is (store-plugin access kubeconfig)"
        )


def _proxy(address: str) -> dict[str, Any]:
    """The proxy, and what it is shown. Of a user in its address urllib3 would send nothing, and
    aiohttp not what it stands for where a letter is none of Latin-1; client-go sends these bytes."""
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return {"proxy": address}
    name, _, password = user.partition(":")
    shown = b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)).decode()
    return {
        "proxy": parts._replace(netloc=host).geturl(),
        "proxy_headers": {"proxy-authorization": f"Basic {shown}"},
    }


def authorized(headers: Mapping[str, Any] | None, status: ExecStatus) -> dict[str, Any]:
    """The headers of a request with the token of `status`, and with no other."""
    given = {name: value for name, value in (headers or {}).items() if name.lower() != "authorization"}
    return {**given, "authorization": f"Bearer {status.token}"} if status.token else given
