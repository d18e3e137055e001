"""Guards around each open store, so that a store that is slow, away or out of patience costs
its own callers little and everybody else nothing (docs/decisions/0017)."""
