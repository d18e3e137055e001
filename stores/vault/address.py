"""The address of a server. What no request could be sent to is refused with the config."""

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

NOT_IN_PATHS = re.compile(r"[\x00-\x20\x7f?#%\\]")
_SPELLED = re.compile(r"[\x21-\x7e]+")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MOST_HOST = 253


def checked_path(path: str) -> str:
    """`path` without the slashes around it: `secret/` and `/secret` are the mount `secret`."""
    trimmed = path.strip("/")
    if any(segment in ("", ".", "..") for segment in trimmed.split("/")):
        raise ValueError("a path needs segments that are neither empty nor . nor ..")
    if NOT_IN_PATHS.search(trimmed):
        raise ValueError(r"a path holds no white space, no control character and none of ? # % \ ")
    return trimmed


def checked_server(server: str) -> str:
    """The address without a slash at its end, host in lower case: it is compared."""
    if not _SPELLED.fullmatch(server):
        raise ValueError("the server's address holds only printable ASCII, and no white space")
    address = urlsplit(server)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("the server is written like https://vault.example.com:8200")
    if "@" in address.netloc or "?" in server or "#" in server:
        raise ValueError("the server's address holds neither user, query nor fragment")
    if address.path.strip("/"):
        checked_path(address.path)
    if address.port == 0:
        raise ValueError("0 is no port")
    _check_host(address.hostname, bracketed="[" in address.netloc)
    return f"{address.scheme}://{address.netloc.lower().rstrip(':')}{address.path.rstrip('/')}"


def _check_host(host: str, *, bracketed: bool) -> None:
    if bracketed:
        IPv6Address(host)
    elif host.replace(".", "").isdigit():
        IPv4Address(host)
    elif len(host) > _MOST_HOST or not all(map(_LABEL.fullmatch, host.removesuffix(".").split("."))):
        raise ValueError(
            f"{host[:80]!r} is no name of a host: labels of 1 to 63 letters, digits and hyphens, "
            f"{_MOST_HOST} characters in all"
        )
