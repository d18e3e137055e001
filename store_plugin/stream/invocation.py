"""Runs one method of a servicer: bytes in, bytes out, whatever kind of function it is.

Failures come out as CallFailed, with the text of nothing but what the method meant to say:
what else it raises is INTERNAL, and its traceback goes to the log.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from store_plugin.errors import Code, StorePluginError
from store_plugin.log import Logger
from store_plugin.stream.audit_notes import noting
from store_plugin.stream.context import AioContext, CallState, ThreadContext
from store_plugin.stream.exits import contained
from store_plugin.stream.handlers import MethodHandler
from store_plugin.stream.outcomes import CallFailed, failed, failed_with


class Invoker:
    """Runs methods; plain functions in `threads`, which its owner bounds and shuts down."""

    def __init__(self, threads: Executor, log: Logger) -> None:
        self._threads = threads
        self._log = log

    async def unary(self, handler: MethodHandler, payload: bytes, state: CallState) -> bytes:
        """The one response. CallFailed."""
        with self._ending(state):
            if handler.request_streaming or handler.response_streaming:
                raise failed(Code.UNIMPLEMENTED, f"{state.method} is a streaming method")
            request = _parsed(handler, payload, state)
            response = await self._called(handler.unary_unary, request, state)
            if state.code is not Code.OK:
                raise state.failure()
            return _serialized(handler, response)

    async def streamed(
        self, handler: MethodHandler, payload: bytes, state: CallState, send: Callable[[bytes], Any]
    ) -> None:
        """Give each response to `send`, a coroutine function. CallFailed."""
        with self._ending(state):
            if handler.request_streaming or not handler.response_streaming:
                raise failed(Code.UNIMPLEMENTED, f"{state.method} does not answer with a stream")
            request = _parsed(handler, payload, state)

            async def sent(response: Any) -> None:
                await send(_serialized(handler, response))

            found: Any = handler.unary_stream
            if inspect.isasyncgenfunction(found):
                async for response in found(request, AioContext(state, sent)):
                    await sent(response)
            elif inspect.iscoroutinefunction(found):
                await found(request, AioContext(state, sent))
            else:
                responses = await self._in_thread(found, request, ThreadContext(state))
                async for response in self._each(responses):
                    await sent(response)
            if state.code is not Code.OK:
                raise state.failure()

    def unexpected(self, state: CallState, error: BaseException) -> CallFailed:
        """How a call fails by what its method did not mean: told to the log, and not to the caller."""
        self._log.error("call failed unexpectedly", method=state.method, exc_info=error)
        return failed(Code.INTERNAL, f"{state.method} failed; the plugin's log tells more")

    async def _called(self, found: Any, request: Any, state: CallState) -> Any:
        if inspect.iscoroutinefunction(found):
            return await found(request, AioContext(state))
        return await self._in_thread(found, request, ThreadContext(state))

    async def _in_thread(self, found: Callable[..., Any], *arguments: Any) -> Any:
        within = copy_context()

        def called() -> Any:
            try:
                return within.run(found, *arguments)
            # No future takes the first, and the call would wait for ever; the others are the method's own,
            # on a thread: nobody is interrupted there, nor closed.
            except (StopIteration, KeyboardInterrupt, GeneratorExit) as error:
                raise RuntimeError(f"the method raised {type(error).__name__}") from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, called)

    async def _each(self, responses: Iterable[Any]) -> AsyncIterator[Any]:
        iterator, end = iter(responses), object()
        while (response := await self._in_thread(next, iterator, end)) is not end:
            yield response

    @contextmanager
    def _ending(self, state: CallState) -> Iterator[None]:
        try:
            with contained(), noting() as state.notes:
                yield
        except CallFailed:
            raise
        except StorePluginError as error:
            raise failed_with(error) from None
        except asyncio.CancelledError as error:
            if _called_off():
                raise
            # Of something that the method waited for: nobody else would tell its caller.
            raise self.unexpected(state, error) from None
        except Exception as error:
            raise self.unexpected(state, error) from None
        finally:
            state.end()


def _called_off() -> bool:
    """Whether the task that runs is to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _parsed(handler: MethodHandler, payload: bytes, state: CallState) -> Any:
    try:
        return handler.request_deserializer(payload) if handler.request_deserializer else payload
    except Exception:
        raise failed(Code.INVALID_ARGUMENT, f"the request of {state.method} is malformed") from None


def _serialized(handler: MethodHandler, response: Any) -> bytes:
    found: bytes = handler.response_serializer(response) if handler.response_serializer else response
    return found
