"""Who may register which name, as the cluster's roles say: verb `register` on the resource
`plugins` of the group `secrets.crossplane.io`, whose resource name is the plugin's."""

from typing import TYPE_CHECKING

from store_plugin.errors import DOMAIN, PluginRefused
from store_plugin.hub.authentication.remembered import Remembered
from store_plugin.hub.authentication.reviewing import CALL_SECONDS, Reviewing
from store_plugin.hub.peer import Identity

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

VERB = "register"
RESOURCE = "plugins"


class AccessReviews:
    """Authorizes by SubjectAccessReview. Its ServiceAccount may create `subjectaccessreviews`.

    `namespace`: the hub's, so that a Role there is enough; without it only a ClusterRole counts.
    """

    def __init__(self, api: "ApiClient", namespace: str = "") -> None:
        self._api = api
        self._namespace = namespace
        self._reviewing = Reviewing("review access")
        self._remembered: Remembered[tuple[Identity, str], bool] = Remembered()

    async def __call__(self, identity: Identity, name: str) -> None:
        """PluginRefused; StoreUnavailable where the API server cannot be asked."""
        allowed = await self._reviewing.ask(
            (identity, name), self._remembered, lambda: self._review(identity, name)
        )
        if not allowed:
            raise PluginRefused(
                f"{identity.user} may not register {name}: it needs the verb {VERB} on "
                f"{RESOURCE}.{DOMAIN}/{name}{self._where}"
            )

    @property
    def _where(self) -> str:
        return f" in namespace {self._namespace}" if self._namespace else ""

    async def _review(self, identity: Identity, name: str) -> tuple[bool, bool]:
        from kubernetes.aio.client import (
            AuthorizationV1Api,
            V1ResourceAttributes,
            V1SubjectAccessReview,
            V1SubjectAccessReviewSpec,
        )

        attributes = V1ResourceAttributes(
            group=DOMAIN, resource=RESOURCE, name=name, verb=VERB, namespace=self._namespace
        )
        spec = V1SubjectAccessReviewSpec(
            user=identity.user, groups=list(identity.groups), resource_attributes=attributes
        )
        answer = await AuthorizationV1Api(self._api).create_subject_access_review(
            V1SubjectAccessReview(spec=spec), _request_timeout=CALL_SECONDS
        )
        allowed = answer.status is not None and answer.status.allowed and not answer.status.denied
        return bool(allowed), bool(allowed)
