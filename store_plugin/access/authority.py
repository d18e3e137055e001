"""The certificates of an authority, such that no TLS library sees more of them than we do.

OpenSSL takes blocks of older names, as `X509 CERTIFICATE`, for certificates too, and Go passes
over them. An author who adds one to the right authority would have some clients trust a second
one, and whoever compares the rest find nothing wrong. So a text with any other block is none. What
stands around the blocks is a comment, in whatever encoding: it is passed over, and passed on to nobody.
"""

import re

_BEGIN = "-----BEGIN"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def certificates_in(pem: bytes) -> frozenset[str] | None:
    """What stands between the lines of each certificate, without spaces; None where there is any
    other block, or half of one."""
    text = pem.decode("ascii", "replace")
    found = ["".join(body.split()) for body in _CERTIFICATE.findall(text)]
    if text.count(_BEGIN) != len(found):
        return None
    return frozenset(found)


def without_comments(pem: bytes) -> bytes | None:
    """The certificates and nothing else; None as `certificates_in`, and where there is none at all."""
    if not certificates_in(pem):
        return None
    blocks = [found.group() for found in _CERTIFICATE.finditer(pem.decode("latin-1"))]
    return "".join(f"{block}\n" for block in blocks).encode() if all(map(str.isascii, blocks)) else None
