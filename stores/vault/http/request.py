"""A request as bytes. What could end a line early, and so become another header or
another request, is refused: tokens and namespaces come from files."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from store_plugin.errors import ConfigInvalid, InvalidRequest

_LINE = re.compile(r"[A-Z]+ [\x21-\x7e]+")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say so where they have no body."""


class RequestEncoder:
    """Requests to one server, whose address a config's model has checked."""

    def __init__(self, server: str) -> None:
        address = urlsplit(server)
        self.host = address.hostname or ""
        self.port = address.port or (443 if address.scheme == "https" else 80)
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self._host_line = f"Host: {shown}:{address.port}\r\n" if address.port else f"Host: {shown}\r\n"
        self._prefix = address.path
        self._headers: Mapping[str, str] = {}
        self._block = self._encoded({})

    def encode(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        query: Mapping[str, str] | None,
    ) -> bytes:
        """InvalidRequest, ConfigInvalid: a path or a header that cannot be sent."""
        line = f"{method} {self._prefix}{path}"
        if query:
            line = f"{line}?{urlencode(query)}"
        if not _LINE.fullmatch(line):
            raise InvalidRequest("the request's path holds characters that HTTP does not allow")
        if headers is not self._headers:
            # Nearly every request carries the same: a session keeps them with its token.
            self._block, self._headers = self._encoded(headers), headers
        head = f"{line} HTTP/1.1\r\n".encode("ascii") + self._block
        if body is None:
            return head + (b"Content-Length: 0\r\n\r\n" if method in _WITH_LENGTH else b"\r\n")
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)

    def _encoded(self, headers: Mapping[str, str]) -> bytes:
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ConfigInvalid(f"the header {name!r} would hold characters that HTTP does not allow")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (self._host_line + lines).encode("latin-1")
