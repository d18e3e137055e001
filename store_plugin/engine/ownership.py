"""Who may write and remove a secret, by its owner label (docs/semantics.md, "Ownership")."""

from enum import Enum

from store_plugin.errors import Conflict, NotOwner
from store_plugin.model import ScopedName, Secret, StoredSecret

SETTLE_SECONDS = 10.0
"""How long the creator of a secret has to write its owner label after its data."""


class OwnershipPolicy(Enum):
    """What happens when the owner label of the request and of the secret differ."""

    ENFORCE = "Enforce"
    ADOPT = "Adopt"
    IGNORE = "Ignore"


def check_owner_of_apply(
    name: ScopedName, stored: StoredSecret, request: Secret, policy: OwnershipPolicy
) -> None:
    """NotOwner where the request may not write the secret; Conflict while that is open."""
    if request.metadata:
        _check_settled(name, stored)
    if not stored.present or stored.secret.owner == request.owner:
        return
    if policy is OwnershipPolicy.IGNORE:
        return
    free_to_take = stored.secret.owner is None and request.owner is not None
    if free_to_take and (_is_left_of(stored, request) or policy is OwnershipPolicy.ADOPT):
        return
    raise _not_owner(name, request.owner)


def check_owner_of_delete(
    name: ScopedName, stored: StoredSecret, owner: str | None, policy: OwnershipPolicy, *, required: bool
) -> None:
    """As for apply, except that a request without an owner passes unless one is `required`:
    Crossplane's own client sends none."""
    if owner is None and not required:
        return
    if policy is OwnershipPolicy.IGNORE:
        return
    _check_settled(name, stored)
    if stored.secret.owner == owner:
        return
    if stored.secret.owner is None and policy is OwnershipPolicy.ADOPT:
        return
    raise _not_owner(name, owner)


def _check_settled(name: ScopedName, stored: StoredSecret) -> None:
    """While a creator may still be at work on the metadata, who needs to know it or writes
    some has lost the race."""
    if stored.unfinished_age is not None and stored.unfinished_age < SETTLE_SECONDS:
        raise Conflict(f"secret {name} has just been created and may still get its owner")


def _is_left_of(stored: StoredSecret, request: Secret) -> bool:
    """Whether an unowned secret is what a crash between data and owner label left of this
    very apply."""
    unfinished = stored.unfinished_age is not None
    return unfinished and bool(stored.secret.data) and stored.secret.data == request.data


def _not_owner(name: ScopedName, owner: str | None) -> NotOwner:
    if owner is None:
        return NotOwner(f"existing secret {name} is owned, and the request carries no owner label")
    return NotOwner(f'existing secret {name} is not owned by UID "{owner}"')
