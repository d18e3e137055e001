"""Plugins of released versions, out of the descriptors that were kept of them."""

from collections.abc import Mapping
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

import grpc

from store_plugin.endpoints import Endpoint
from tests.wire.releases import Messages

API_VERSION, KIND = "backends.example.org/v1", "OldConfig"
SERVICE = "storeplugin.backend.v1.SecretBackend"
STREAM = "/pluginframework.v1.PluginFrameworkService/PluginStream"
FEATURES = ("concurrent-calls", "drain", "heartbeat", "metadata", "status")
"""As that release spells them."""


class OldPlugin:
    """A plugin of that release: one kind of store, whose secrets are in a dictionary."""

    def __init__(self, release: str, endpoint: str) -> None:
        self._messages = Messages(release)
        self._frame = self._messages.named("pluginframework.v1.PluginStreamMessage")
        self._frames: SimpleQueue[Any] = SimpleQueue()
        options = [("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(Endpoint.parse(endpoint).target, options=options)
        stream = self._channel.stream_stream(
            STREAM, lambda sent: sent.SerializeToString(), self._frame.FromString
        )
        self._received = stream(iter(self._frames.get, None), wait_for_ready=True)
        self._serving = Thread(target=self._serve)
        self.registered: Any = None
        self.secrets: dict[str, Any] = {}

    def __enter__(self) -> Self:
        kind = {"api_version": API_VERSION, "kind": KIND, "spec_schema": b'{"type": "object"}'}
        self._send(
            register={
                "name": "old",
                "version": "1.0",
                "features": FEATURES,
                "kinds": [kind],
                "services": [SERVICE],
                "protocol_versions": [1],
            }
        )
        self.registered = next(self._received).registered
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._received.cancel()
        self._frames.put(None)
        self._serving.join(10)
        self._channel.close()

    def _send(self, **payload: Mapping[str, Any]) -> None:
        self._frames.put(self._frame(**payload))

    def _serve(self) -> None:
        try:
            for frame in self._received:
                if frame.HasField("ping"):
                    self._send(pong={"sequence": frame.ping.sequence})
                elif frame.HasField("rpc_call"):
                    self._answer(frame.rpc_call)
        except grpc.RpcError:
            return  # The test is over.

    def _answer(self, call: Any) -> None:
        method = call.method.rpartition("/")[2]
        request = self._of(f"{method}Request").FromString(call.payload)
        answer = self._of(f"{method}Response")(**getattr(self, f"_{method.lower()}")(request))
        self._send(rpc_response={"request_id": call.request_id, "payload": answer.SerializeToString()})

    def _of(self, name: str) -> Any:
        return self._messages.named(f"storeplugin.backend.v1.{name}")

    def _describe(self, request: Any) -> Mapping[str, Any]:
        capabilities = {"compare_and_set": True, "versions": True, "metadata": True}
        return {"capabilities": capabilities, "location": request.config.name}

    def _read(self, request: Any) -> Mapping[str, Any]:
        return {"stored": self.secrets.get(request.scoped_name, self._of("StoredSecret")(presence="ABSENT"))}

    def _write(self, request: Any) -> Mapping[str, Any]:
        version = str(int(request.base.version or 0) + 1)
        stored = self._of("StoredSecret")(presence="PRESENT", secret=request.secret, version=version)
        self.secrets[request.scoped_name] = stored
        return {"version": version}

    def _delete(self, request: Any) -> Mapping[str, Any]:
        del self.secrets[request.scoped_name]
        return {}
