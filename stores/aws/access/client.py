"""One client of boto3, on threads of its own: boto3 blocks. No thread sleeps."""

import asyncio
import random
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from store_plugin.errors import StoreUnavailable
from stores._threads import Threads
from stores.aws import errors
from stores.aws.access.credentials import Login, provide
from stores.aws.spec import AWSSpec

THREADS = 16
"""Most requests of one client under way at a time."""
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
_READS = ("Get", "List", "Describe")
_PAUSE = 0.1, 0.3
"""Seconds, at least and at most, before a request is sent once more."""
_ENDED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_API = {"SecretsManager": "secretsmanager", "ParameterStore": "ssm"}

Answer = dict[str, Any]
"""The answer to a call, as boto3 gives it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a client is for."""

    service: str
    region: str
    endpoint: str | None
    use_fips: bool
    use_dual_stack: bool
    login: Login

    @property
    def key(self) -> tuple[object, ...]:
        """The same for targets that one client can serve."""
        flags = self.use_fips, self.use_dual_stack
        return (self.service, self.region, self.endpoint, *flags, self.login.key)


def target_of(spec: AWSSpec, login: Login) -> Target:
    """What the config's client is for."""
    return Target(_API[spec.service], spec.region, spec.endpoint, spec.use_fips, spec.use_dual_stack, login)


class Client:
    """One boto3 client and the threads that wait for its answers."""

    def __init__(self, target: Target, models: Loader) -> None:
        self._target = target
        self._models = models
        self._making = threading.Lock()
        self._made: Any = None
        self._threads = Threads(THREADS, f"aws-{target.service}")

    async def call(
        self, operation: str, where: str, expect: Collection[str] = (), /, **parameters: object
    ) -> Answer:
        """The answer to an operation of the API; `where` names the request in messages.

        `errors.Refused` for codes in `expect`; else the errors of store_plugin.errors. A
        call that is cancelled may still be carried out.

        A request that changes something is sent once more where the service failed: it names
        a version or a token, so twice is once. Reads are repeated as a whole by who asks.
        """
        work = partial(self._call, operation, where, frozenset(expect), parameters)
        try:
            return await self._on_a_thread(work, where)
        except StoreUnavailable:
            if operation.startswith(_READS):
                raise
        await asyncio.sleep(random.uniform(*_PAUSE))
        return await self._on_a_thread(work, where)

    async def _on_a_thread(self, work: Callable[[], Answer], where: str) -> Answer:
        try:
            pending = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError as error:
            problem = "the store is closed" if self._threads.closed else str(error)
            raise StoreUnavailable(f"{where}: {problem}") from None
        return await pending

    def close(self) -> None:
        """Take no more calls; those under way end as they would."""
        try:
            self._threads.submit(self._close)
        except RuntimeError:
            return
        self._threads.shutdown()

    def _call(self, operation: str, where: str, expect: Collection[str], parameters: Answer) -> Answer:
        try:
            return self._carried_out(self._client(), operation, parameters)
        except Exception as error:
            ours = errors.from_exception(error, where)
            code = errors.code_of(error)
            raise errors.Refused(code, ours) if code in expect else ours from None

    def _carried_out(self, made: Any, operation: str, parameters: Answer) -> Answer:
        """The answer. Where AWS says that the session has ended before its time, as after a
        jump of the clock, after one new login: a request that it refuses so is not carried
        out."""
        try:
            answer: Answer = getattr(made, xform_name(operation))(**parameters)
        except Exception as error:
            if errors.code_of(error) not in _ENDED or not self._target.login.is_temporary:
                raise
            with self._making:
                if self._made is made:
                    self._made = None
            answer = getattr(self._client(), xform_name(operation))(**parameters)
        return answer

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = _make(self._target, self._models)
            return self._made

    def _close(self) -> None:
        with self._making:
            if self._made is not None:
                self._made.close()


def _make(target: Target, models: Loader) -> Any:
    session = Session()
    session.register_component("data_loader", models)
    session.set_config_variable("region", target.region)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=THREADS,
        # boto3's own retries sleep on the thread, and would multiply those of the guards.
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
        user_agent_extra="store-plugin",
    )
    at_aws = config.merge(_variants(fips=target.use_fips, dual_stack=target.use_dual_stack))
    as_named = config.merge(_variants(fips=False, dual_stack=False))
    # STS is called as the service is, also by AWS's own chain of credentials, which makes clients
    # that nobody gives a config; unless the config names its endpoint.
    session.set_default_client_config(at_aws)
    provide(session, target.login, as_named if target.login.auth.sts_endpoint else at_aws)
    made = boto3.Session(botocore_session=session, region_name=target.region)
    own = as_named if target.endpoint else at_aws
    return made.client(target.service, endpoint_url=target.endpoint, config=own)


def _variants(*, fips: bool, dual_stack: bool) -> Config:
    return Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack)
