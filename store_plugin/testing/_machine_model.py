"""What the machine compares a store with: secrets as plain dicts, and the rules of
docs/semantics.md written a second time, as simply as possible, without any I/O."""

from dataclasses import dataclass, field

from store_plugin.engine import OwnershipPolicy
from store_plugin.model import OWNER_LABEL, ScopedName, Secret


@dataclass
class Held:
    """One secret as it should be."""

    data: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        return self.metadata.get(OWNER_LABEL)


class PlainModel:
    """All secrets of a store as they should be."""

    def __init__(self, policy: OwnershipPolicy, require_owner_on_delete: bool) -> None:
        self.policy = policy
        self.require_owner_on_delete = require_owner_on_delete
        self.held: dict[ScopedName, Held] = {}

    def secret(self, name: ScopedName) -> Secret:
        held = self.held.get(name, Held())
        return Secret(dict(held.data), dict(held.metadata))

    def may_apply(self, name: ScopedName, owner: str | None) -> bool:
        held = self.held.get(name)
        if held is None or held.owner == owner or self.policy is OwnershipPolicy.IGNORE:
            return True
        return self.policy is OwnershipPolicy.ADOPT and held.owner is None

    def may_delete(self, name: ScopedName, owner: str | None) -> bool:
        if owner is None:
            return not self.require_owner_on_delete or self.may_apply(name, None)
        return self.may_apply(name, owner)

    def asks_for_owner(self, owner: str | None) -> bool:
        """Whether a delete looks at the secret's owner."""
        if self.policy is OwnershipPolicy.IGNORE:
            return False
        return owner is not None or self.require_owner_on_delete

    def would_change(self, name: ScopedName, request: Secret) -> set[str]:
        """Data keys and metadata entries that an apply adds or changes."""
        held = self.held.get(name, Held())
        data = {key for key, value in request.data.items() if held.data.get(key) != value}
        return data | {key for key, text in request.metadata.items() if held.metadata.get(key) != text}

    def apply(self, name: ScopedName, request: Secret) -> None:
        held = self.held.setdefault(name, Held())
        held.data.update(request.data)
        held.metadata.update(request.metadata)

    def delete(self, name: ScopedName, keys: list[str], *, keep_empty: bool) -> None:
        held = self.held.get(name)
        if held is None:
            return
        gone = [key for key in held.data if not keys or key in keys]
        for key in gone:
            del held.data[key]
        if not held.data and not keep_empty and (gone or not keys):
            del self.held[name]
