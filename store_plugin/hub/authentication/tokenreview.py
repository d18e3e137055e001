"""Plugins known by their ServiceAccount tokens, which the API server reviews for this hub.

A token must be meant for the hub: one that is valid for the API server itself, or for another
service, would let whoever received it there pass for its owner here.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store_plugin.errors import CallerUnknown
from store_plugin.hub.authentication.bearer import bearer_token
from store_plugin.hub.authentication.remembered import Remembered
from store_plugin.hub.authentication.reviewing import CALL_SECONDS, Reviewing
from store_plugin.hub.entrance import Context
from store_plugin.hub.peer import Identity

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient, V1TokenReviewStatus

DEFAULT_AUDIENCE = "store-plugin-hub"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """`identity` is None for a token that is no good here."""

    identity: Identity | None


class TokenReviews:
    """Authenticates by TokenReview. Its ServiceAccount may create `tokenreviews`."""

    def __init__(self, api: "ApiClient", audience: str = DEFAULT_AUDIENCE) -> None:
        self._api = api
        self._audience = audience
        self._reviewing = Reviewing("review tokens")
        self._remembered: Remembered[bytes, _Verdict] = Remembered()

    async def __call__(self, context: Context) -> Identity:
        """CallerUnknown; StoreUnavailable where the API server cannot be asked."""
        token = bearer_token(context)
        digest = hashlib.sha256(token.encode()).digest()
        verdict = await self._reviewing.ask(digest, self._remembered, lambda: self._review(token))
        if verdict.identity is None:
            raise CallerUnknown(
                "the token is not valid here: it may have ended, belong to a ServiceAccount that is gone, "
                f"or be for another audience than {self._audience}"
            )
        return verdict.identity

    async def _review(self, token: str) -> tuple[_Verdict, bool]:
        from kubernetes.aio.client import AuthenticationV1Api, V1TokenReview, V1TokenReviewSpec

        review = V1TokenReview(spec=V1TokenReviewSpec(token=token, audiences=[self._audience]))
        answer = await AuthenticationV1Api(self._api).create_token_review(
            review, _request_timeout=CALL_SECONDS
        )
        identity = self._identity(answer.status)
        return _Verdict(identity), identity is not None

    def _identity(self, status: "V1TokenReviewStatus | None") -> Identity | None:
        if status is None or not status.authenticated or status.user is None:
            return None
        # An authenticator that knows nothing of audiences names none of them.
        if self._audience not in (status.audiences or ()) or not status.user.username:
            return None
        return Identity(status.user.username, tuple(status.user.groups or ()))
