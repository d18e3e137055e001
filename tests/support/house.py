"""A table of test configs, a factory that opens test stores, and the router between them."""

from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.credentials.sources import CredentialSources
from store_plugin.config.declarations import DeclaredConfig
from store_plugin.config.table import ConfigTable
from store_plugin.dispatch.router import Router
from store_plugin.dispatch.state import ConfigState
from store_plugin.engine import LocationLocks
from store_plugin.errors import Code
from store_plugin.model import ConfigReference
from tests.support.fakes import GROUP_VERSION, FakeFactory, FakeKind, RecordingLog, ShelfSpec


def reference(name: str) -> ConfigReference:
    return ConfigReference(GROUP_VERSION, "ShelfConfig", name)


class House:
    """A table, a factory that opens test stores, and the router between them."""

    def __init__(self) -> None:
        self.table = ConfigTable()
        self.factory = FakeFactory()
        self.log = RecordingLog()
        self.calls: list[tuple[str, str, Code]] = []
        self.sources = CredentialSources({"PRESENT": "value"}, self.log)
        self._declared: dict[str, DeclaredConfig] = {}
        kinds = {
            (GROUP_VERSION, "ShelfConfig"): FakeKind(self.factory),
            (GROUP_VERSION, "OtherConfig"): FakeKind(),
        }
        self.router = Router(self.table, kinds, LocationLocks(), self.log, self._observe)

    def put(self, name: str, server: str = "https://one", **fields: object) -> None:
        """Declare a config, or another spec for it."""
        spec = ShelfSpec.model_validate({"server": server, **fields})
        self._declare(DeclaredConfig(file=f"{name}.yaml", line=1, reference=reference(name), spec=spec))

    def break_(self, name: str, error: str = "x.yaml:1: bad") -> None:
        """Declare a config that is invalid."""
        self._declare(
            DeclaredConfig(file=f"{name}.yaml", line=1, reference=reference(name), spec=None, error=error)
        )

    def remove(self, name: str) -> None:
        del self._declared[name]
        self._replace()

    def states(self) -> list[ConfigState]:
        return list(self.router.states())

    def _declare(self, config: DeclaredConfig) -> None:
        self._declared[config.reference.name] = config
        self._replace()

    def _replace(self) -> None:
        self.table.replace(self._declared.values(), lambda spec: ConfigCredentials(spec, self.sources))

    def _observe(self, kind: str, verb: str, code: Code, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((kind, verb, code))
