"""Whether the store of a config can be used, asked now and then."""

import asyncio
from time import monotonic

from store_plugin.dispatch.failures import told
from store_plugin.dispatch.router import Router
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from store_plugin.sidecar.status.conditions import Said

WELL_SECONDS = 300.0
FAILING_SECONDS = 30.0
"""For how long the answer of a store counts."""
_CHECK_SECONDS = 30.0


class Checks:
    """The last answer of each store; asks again when it is too old."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._last: dict[ConfigReference, tuple[int, float, Said]] = {}

    async def ready(self, reference: ConfigReference, generation: int, counted: int) -> Said:
        """`counted` is the generation of the spec in use; another one is asked at once."""
        last = self._last.get(reference)
        if last is not None and last[0] == counted and monotonic() < last[1]:
            return last[2]
        said = await self._ask(reference, generation)
        lasts = WELL_SECONDS if said.status == "True" else FAILING_SECONDS
        self._last[reference] = (counted, monotonic() + lasts, said)
        return said

    def forget(self, reference: ConfigReference) -> None:
        """The config is gone."""
        self._last.pop(reference, None)

    async def _ask(self, reference: ConfigReference, generation: int) -> Said:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                with await self._router.lease(reference) as lease:
                    warnings = await lease.engine.store.check()
        except TimeoutError:
            return Said("Ready", "False", "NoAnswer", f"no answer within {_CHECK_SECONDS:g} s", generation)
        except StorePluginError as error:
            return Said("Ready", "False", type(error).__name__, error.message, generation)
        except Exception as error:  # the fault of one store must not hide what others say
            return Said("Ready", "False", "Bug", told(error), generation)
        return Said("Ready", "True", "Checked", "; ".join(warnings), generation)
