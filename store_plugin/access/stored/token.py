"""What a token says of itself, where it is a JWT. Its signature is the API server's to check."""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from store_plugin.errors import ConfigInvalid


def claims_of(token: str) -> Mapping[str, Any] | None:
    """The claims (RFC 7519); None where the token is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def expiry_of(token: str) -> datetime | None:
    """The moment in `exp`; None where it says none. ConfigInvalid for one that is no time."""
    moment = (claims_of(token) or {}).get("exp")
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise ConfigInvalid("the claim exp of the token is no time") from None


def check_audience(token: str, audience: str) -> None:
    """ConfigInvalid where the token is not for this audience."""
    claims = claims_of(token)
    if claims is None:
        raise ConfigInvalid("the token is no JWT, so it names no audience: leave --audience out")
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise ConfigInvalid("the token is for another audience than --audience asks for")
