"""Who may register which name, as rules of the hub's own say: `USER=NAME`, for clusters where the
hub may not ask, and for users that no cluster knows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from store_plugin.errors import InvalidRequest, PluginRefused
from store_plugin.hub.entrance import Authorize
from store_plugin.hub.peer import Identity

_NAME = re.compile(r"[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?\Z")


@dataclass(frozen=True, slots=True)
class AllowRule:
    """Users and names, in both of which `*` stands for any characters but `:` and `/`."""

    users: str
    names: str

    def __post_init__(self) -> None:
        if not self.users.strip("*") or not _NAME.match(self.names):
            raise InvalidRequest(
                f"'{self.users}={self.names}' allows nothing: write USER=NAME, "
                "as system:serviceaccount:team-a:vault=vault-*, with a user that is more than '*'"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rule written `text`; InvalidRequest."""
        users, _, names = text.strip().rpartition("=")
        return cls(users, names)

    def allows(self, user: str, name: str) -> bool:
        return _matches(self.users, user) and _matches(self.names, name)

    def __str__(self) -> str:
        return f"{self.users}={self.names}"


def allowed_by(rules: Sequence[AllowRule]) -> Authorize:
    """Whom one of the rules allows the name; a certificate is known by any of its DNS names too."""

    async def authorize(identity: Identity, name: str) -> None:
        users = (identity.user, *identity.names)
        if not any(rule.allows(user, name) for rule in rules for user in users):
            raise PluginRefused(f"no rule of this hub allows {identity.user} to register {name}")

    return authorize


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch("[^:/]*".join(map(re.escape, pattern.split("*"))), text) is not None
