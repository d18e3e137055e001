"""What a config decides about the rules."""

from dataclasses import dataclass

from store_plugin.engine.ownership import OwnershipPolicy


@dataclass(frozen=True, slots=True)
class Rules:
    """The fields of a config's spec that the engine goes by."""

    ownership: OwnershipPolicy = OwnershipPolicy.ENFORCE
    require_owner_on_delete: bool = False
    keep_existing: bool = False
    """updatePolicy IfNotExists: an apply leaves an existing secret as it is."""
    drift_check_interval: float = 0.0
    """For how many seconds an apply may be answered from what the same apply found before;
    0: never."""
