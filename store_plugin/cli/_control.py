"""Asking a running sidecar over its control socket."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import grpc
from google.protobuf.message import Message

from store_plugin._proto import control_pb2 as proto
from store_plugin.errors import Code, InvalidRequest, NotReachable, StorePluginError
from store_plugin.grpc_options import UNCOMPRESSED
from store_plugin.stream.frames import duration
from store_plugin.wire import error_from

ResponseT = TypeVar("ResponseT", bound=Message)

SERVICE = proto.DESCRIPTOR.services_by_name["Control"].full_name
CONTROL_VARIABLE = "STORE_PLUGIN_CONTROL_SOCKET"
_ADVICE = (
    f"start the sidecar with --control-socket PATH ({CONTROL_VARIABLE}), and name the same PATH here; "
    "with --plugins-dir DIR it is DIR/control.sock"
)
_SECONDS = 10.0
_LARGEST = 32 * 1024 * 1024
"""Bytes of an answer: all schemas that a hub takes, and more."""
_BEYOND = 2.0
"""Seconds more than a plugin has: its own answer is to come first."""


class Control:
    """Calls of the Control service. NotReachable where no sidecar answers."""

    def __init__(self, channel: grpc.Channel, path: Path) -> None:
        self._channel = channel
        self._path = path

    def status(self) -> proto.StatusResponse:
        return self._call("Status", proto.StatusRequest(), proto.StatusResponse)

    def plugins(self) -> list[proto.Plugin]:
        """Those connected now."""
        return list(self._call("Plugins", proto.PluginsRequest(), proto.PluginsResponse).plugins)

    def kinds(self) -> proto.KindsResponse:
        """Those that plugins have brought, and the API groups that they may bring some of."""
        return self._call("Kinds", proto.KindsRequest(), proto.KindsResponse)

    def call_plugin(self, name: str, method: str, payload: bytes, timeout: float) -> bytes:
        """One call; raises what the plugin failed with."""
        request = proto.CallPluginRequest(
            name=name, method=method, payload=payload, timeout=duration(timeout)
        )
        response = self._call("CallPlugin", request, proto.CallPluginResponse, timeout + _BEYOND)
        return bytes(response.payload)

    def set_log_level(self, level: str) -> None:
        self._call("SetLogLevel", proto.SetLogLevelRequest(level=level), proto.SetLogLevelResponse)

    def managed_plugins(self) -> proto.ManagedPluginsResponse:
        """Those that the sidecar runs itself, and out of which directory."""
        return self._call("ManagedPlugins", proto.ManagedPluginsRequest(), proto.ManagedPluginsResponse)

    def restart_plugin(self, name: str) -> None:
        """Have another process of a plugin; not waited for."""
        self._call("RestartPlugin", proto.RestartPluginRequest(name=name), proto.RestartPluginResponse)

    def catalog_changed(self) -> None:
        """Have it look at what is to run."""
        self._call("CatalogChanged", proto.CatalogChangedRequest(), proto.CatalogChangedResponse)

    def plugin_output(self, name: str, lines: int, follow: bool) -> Iterator[proto.PluginOutputResponse]:
        """What a plugin has written, and with `follow` what it writes, until it is run no more."""
        request = proto.PluginOutputRequest(name=name, lines=lines, follow=follow)
        call: Any = self._channel.unary_stream(
            f"/{SERVICE}/PluginOutput",
            proto.PluginOutputRequest.SerializeToString,
            proto.PluginOutputResponse.FromString,
        )
        try:
            yield from call(request, timeout=None if follow else _SECONDS)
        except grpc.RpcError as error:
            raise _typed(error) from None

    def _call(
        self, method: str, request: Message, response: type[ResponseT], timeout: float = _SECONDS
    ) -> ResponseT:
        call: Any = self._channel.unary_unary(
            f"/{SERVICE}/{method}", type(request).SerializeToString, response.FromString
        )
        try:
            found: ResponseT = call(request, timeout=timeout)
        except grpc.RpcError as error:
            raise _typed(error) from None
        return found


def _typed(failure: Any) -> StorePluginError:
    return error_from(
        Code(failure.code().value[0]), failure.details() or "", failure.trailing_metadata() or ()
    )


@contextmanager
def connected(path: Path, seconds: float = _SECONDS) -> Iterator[Control]:
    """A connection to the sidecar whose control socket is at `path`; NotReachable after `seconds`."""
    _check(path)
    options = [
        ("grpc.default_authority", "localhost"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", _LARGEST),
        UNCOMPRESSED,
    ]
    with grpc.insecure_channel(f"unix:{path.absolute()}", options) as channel:
        ready = grpc.channel_ready_future(channel)
        try:
            ready.result(seconds)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise _nobody_at(path) from None
        yield Control(channel, path)


def with_control(command: Callable[..., None]) -> Callable[..., None]:
    """The option that names the socket; the command gets the connection as its first argument."""

    @click.option(
        "--control-socket",
        type=click.Path(path_type=Path),
        envvar=CONTROL_VARIABLE,
        show_envvar=True,
        metavar="PATH",
        help="Control socket of the sidecar: its own --control-socket, or control.sock in its --plugins-dir.",
    )
    @wraps(command)
    def run(control_socket: Path | None, **options: Any) -> None:
        if control_socket is None:
            raise click.UsageError(f"which sidecar? {_ADVICE[0].upper()}{_ADVICE[1:]}")
        with connected(control_socket) as control:
            command(control, **options)

    return run


def complete_plugin(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Names of connected plugins, for the shell; none where no sidecar answers."""
    path = ctx.params.get("control_socket") or os.environ.get(CONTROL_VARIABLE, "")
    try:
        with connected(Path(path)) as control:
            return sorted({plugin.name for plugin in control.plugins() if plugin.name.startswith(begun)})
    except Exception:  # a shell that completes shows no errors
        return []


def _check(path: Path) -> None:
    """Say at once what waiting would not mend."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NotReachable(f"there is no control socket {path}: {_ADVICE}") from None
    except PermissionError:
        raise InvalidRequest(f"{path} may not be opened: its owner is who runs the sidecar") from None
    if not stat.S_ISSOCK(mode):
        raise InvalidRequest(f"{path} is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            raise _nobody_at(path) from None
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be opened: {error.strerror or error}") from None


def _nobody_at(path: Path) -> NotReachable:
    return NotReachable(f"no sidecar answers at {path}: is it running? Else {_ADVICE}")
