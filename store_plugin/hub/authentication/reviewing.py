"""Asking a Kubernetes API server about plugins: a few questions at a time, each answered soon or
not at all, and what was answered just now is not asked again."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from store_plugin.cluster import told_as_ours
from store_plugin.errors import StorePluginError, StoreUnavailable
from store_plugin.hub.authentication.remembered import Remembered

CALL_SECONDS = 4.0
"""For one answer of the API server."""
_ASK_SECONDS = 8.0
"""With the wait for a turn; less than a plugin waits for the hub."""
_AT_A_TIME = 16
YES_SECONDS = 10.0
NO_SECONDS = 2.0
"""How long an answer holds. Whoever was just given a right does not wait long for it."""

Question = TypeVar("Question", bound=Hashable)
Verdict = TypeVar("Verdict")


class Reviewing:
    """One kind of question: `what` it does, for messages ("review tokens")."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    async def ask(
        self,
        question: Question,
        remembered: Remembered[Question, Verdict],
        review: Callable[[], Awaitable[tuple[Verdict, bool]]],
    ) -> Verdict:
        """The answer that holds still, or what `review` finds: a verdict, and whether it is a yes.
        StoreUnavailable where the API server gives none: the plugin is to try again."""
        try:
            async with asyncio.timeout(_ASK_SECONDS), self._turns:
                # Looked up with the turn in hand: somebody may have asked the same before us.
                if (known := remembered.get(question)) is not None:
                    return known
                with told_as_ours(self._what):
                    verdict, yes = await review()
        except TimeoutError:
            raise self._no_answer("the API server takes too long") from None
        except StorePluginError as error:
            # Whatever it is, it is the hub's trouble, and no refusal of this plugin.
            raise self._no_answer(error.message) from None
        remembered.put(question, verdict, YES_SECONDS if yes else NO_SECONDS)
        return verdict

    def _no_answer(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"the hub could not {self._what}: {why}", retry_after=2.0)
