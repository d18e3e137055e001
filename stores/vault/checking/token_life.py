"""How long a token lives that somebody else made: the store cannot get another one."""

from hvac.api.auth_methods import Token as TokenApi

from store_plugin.errors import StorePluginError
from stores.vault.adapter import VaultAdapter
from stores.vault.http.answer import Answer
from stores.vault.kv.held import age_of

_REPLACE = "put a new one in its place before, or choose a login that obtains tokens"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


async def check_token_life(adapter: VaultAdapter) -> list[str]:
    """Warnings where the token of `auth.token` comes to an end; none where it may not look
    itself up."""
    try:
        answer: Answer = await TokenApi(adapter).lookup_self()
        found = answer.json().get("data") or {}
    except StorePluginError:
        return []
    return told_of(found, age_of(found.get("issue_time"), answer.date) or 0.0)


def told_of(found: dict[str, object], age: float) -> list[str]:
    """What the answer to a token's lookup tells of its end; `age` in seconds, by the server's clock."""
    uses, ttl = _number(found, "num_uses"), _number(found, "ttl")
    told = [f"the token of auth.token may be used {uses} more times: give it no such limit"] if uses else []
    if not ttl:
        return told
    if not found.get("renewable"):
        return [*told, f"the token of auth.token ends in {span(ttl)} and cannot be renewed: {_REPLACE}"]
    longest = _number(found, "explicit_max_ttl")
    if not longest:
        return told
    left = max(0, int(longest - age))
    return [*told, f"the token of auth.token ends in {span(left)}, renewed or not: {_REPLACE}"]


def span(seconds: int) -> str:
    """A time in its largest unit."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds // size} {unit}"


def _number(found: dict[str, object], name: str) -> int:
    value = found.get(name)
    return int(value) if isinstance(value, int | float) else 0
