"""A token in use: until when, from when on it is to be replaced, and how often it may be sent."""

from dataclasses import dataclass, field

from stores.vault.auth import Grant

_REFRESH_AT = 2 / 3
SHORTEST_SECONDS = 0.5
"""Least time to the next renewal."""


class Uses:
    """How often a token may still be sent (`num_uses`)."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self) -> bool:
        """Use it once, where it can be."""
        self.left -= 1
        return self.left >= 0


@dataclass(frozen=True, slots=True)
class Token:
    """A token in use. Times are of the session's clock, in seconds."""

    grant: Grant
    headers: dict[str, str] = field(repr=False)
    expires_at: float
    refresh_at: float
    """From then on the next request renews it or logs in again. Always over for a token of
    limited uses: each one is counted."""
    generation: int
    """Of the credentials it was got with."""
    uses: Uses | None = None
    """None: as many as one likes."""

    def same_as(self, other: "Token | None") -> bool:
        return other is not None and other.grant.token == self.grant.token


def started(grant: Grant, ttl: float, generation: int, headers: dict[str, str], now: float) -> Token:
    """A token got or renewed `now`; `ttl` in seconds, 0: for ever."""
    life, refresh = (ttl, max(SHORTEST_SECONDS, ttl * _REFRESH_AT)) if ttl > 0 else (float("inf"),) * 2
    if grant.uses:
        return Token(grant, headers, now + life, float("-inf"), generation, Uses(grant.uses))
    return Token(grant, headers, now + life, now + refresh, generation)
