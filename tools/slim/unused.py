"""What of the installed packages no sidecar uses.

Most of it is generated: a class for everything in Kubernetes' API, a description of each of
AWS's services. Of the Kubernetes client stays what our own code imports, found in that code,
with all that the classes import themselves.
"""

import ast
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

AWS_SERVICES = ("kms", "secretsmanager", "signin", "ssm", "sso", "sso-oidc", "sts")
"""Those that the stores call, and those that botocore itself logs in with."""
CLIENT = "kubernetes.aio.client"
OTHER_CLIENT = "kubernetes.client"
"""The one for threads, which nothing of ours uses. Its core is imported with the package."""
GENERATED = ("api", "models")
LEXERS = ("__init__", "_mapping", "python", "special")
"""Of pygments: rich colours tracebacks with the one for Python."""
LEFTOVERS = (
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.proto",
    "**/*.c",
    "**/*.h",
    "**/tests",
    "*.dist-info/RECORD",  # no longer true, and nothing here installs or removes
    "aiohttp/test_utils.py",
    "anyio/_backends/_trio.py",
    "anyio/pytest_plugin.py",
    "dateutil/zoneinfo/*.tar.gz",
    "google/api",  # of the messages that services of Google share, errors are all we speak
    "google/cloud",
    "google/gapic",
    "google/logging",
    "google/longrunning",
    "google/protobuf/testdata",
    "google/type",
    "jsonschema/benchmarks",
    "pydantic/v1",
    "urllib3/contrib/emscripten",
    "**/__pycache__",
)
OURS = ("store_plugin", "stores")


def remove_unused(packages: Path) -> None:
    """Take out what is not used below this site-packages."""
    _remove(path for pattern in LEFTOVERS for path in packages.glob(pattern))
    _remove(_unused_services(packages / "botocore" / "data"))
    _remove(path for path in (packages / "pygments/lexers").glob("*.py") if path.stem not in LEXERS)
    if (packages / "kubernetes").is_dir():
        _remove(_unused_of_kubernetes(packages))


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _unused_services(data: Path) -> Iterator[Path]:
    """Descriptions of AWS's services by botocore: four hundred of them."""
    return (path for path in data.glob("*") if path.is_dir() and path.name not in AWS_SERVICES)


def _unused_of_kubernetes(packages: Path) -> Iterator[Path]:
    used = set(_used_of_kubernetes(packages))
    for client in (CLIENT, OTHER_CLIENT):
        for part in GENERATED:
            directory = packages / client.replace(".", "/") / part
            modules = (path for path in directory.glob("*.py") if path.stem != "__init__")
            yield from (path for path in modules if path not in used)


def _used_of_kubernetes(packages: Path) -> Iterator[Path]:
    """The files of the generated classes that our code imports, and of what those import."""
    modules = _modules_of_classes(packages / CLIENT.replace(".", "/") / "__init__.py")
    waiting = {modules[name] for name in _imported_by_us(packages) if name in modules}
    seen: set[str] = set()
    while waiting:
        seen.add(module := waiting.pop())
        path = packages / f"{module.replace('.', '/')}.py"
        yield path
        waiting |= {other for other, _ in _imports(path) if other.startswith(f"{CLIENT}.")} - seen


def _modules_of_classes(client: Path) -> dict[str, str]:
    """The module of each class by its name: the client's own table, which it imports by."""
    for node in ast.walk(ast.parse(client.read_text())):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_exports":
            return {name: CLIENT + module for name, module in ast.literal_eval(node.value).items()}
    raise SystemExit(f"slim: {client} has no table of its classes any more")


def _imported_by_us(packages: Path) -> set[str]:
    ours = (path for package in OURS for path in (packages / package).rglob("*.py"))
    return {name for path in ours for module, name in _imports(path) if module == CLIENT}


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    """Each `from MODULE import NAME` of a file, wherever it stands."""
    if not path.exists():
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, name.name) for name in node.names)
