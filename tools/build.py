"""Build the pinned servers and commands that tests run against, once, into a cache.

Run by `make tools` and `make test`. No distribution has these versions, and none of them is
worth an image: Go builds each from its modules, whose sums are committed below tools/go/, or
beside the one program of our own.
What is built stays in `${XDG_CACHE_HOME:-~/.cache}/store-plugin/bin/NAME-VERSION`, outside of
the checkout, so that every checkout shares it. docs/decisions/0014 tells why.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_GO = (1, 21)
"""The first that fetches by itself the newer Go which a go.mod asks for."""
HOW_TO_GET_GO = "install Go {}.{} or newer (Debian: golang-1.NN-go from backports; any system: go.dev/dl)"
_BUDGET_SECONDS = 3600.0
_UNFINISHED = ".building-"


class Unavailable(Exception):
    """A tool can't be had here; the message says why and what to do."""


@dataclass(frozen=True)
class Tool:
    """One executable: `package` built in the Go module in the folder `module` of the checkout.

    `usually` is for the progress line: what a first build takes on two cores.
    """

    name: str
    version: str
    module: str
    package: str
    usually: str
    variables: Mapping[str, str] | None = None
    """What the linker sets: a Go variable and its value."""
    ours: bool = False
    """Whether its source is in the module's folder: then a change of it is another tool."""

    def path(self) -> Path:
        """Where it is, once built."""
        source = f"-{_digest(self.directory)}" if self.ours else ""
        return cache() / "bin" / f"{self.name}-{self.version}{source}"

    @property
    def directory(self) -> Path:
        return ROOT / self.module


def _digest(directory: Path) -> str:
    """Of all that Go builds a program from."""
    digest = hashlib.sha256()
    for path in sorted([*directory.glob("*.go"), *directory.glob("go.*")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _kubernetes(name: str, usually: str) -> Tool:
    """A command of k8s.io/kubernetes. Without the variables it says it is v0.0.0, and whoever
    checks a version refuses it."""
    version = "v1.36.3"
    major, minor, _ = version.removeprefix("v").split(".")
    variables = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return Tool(
        name=name,
        version=version,
        module="tools/go/kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        usually=usually,
        variables={f"k8s.io/component-base/version.{key}": value for key, value in variables.items()},
    )


def _vault_plugin(method: str, usually: str) -> Tool:
    """An auth method of Vault as a plugin: OpenBao has left it out, and serves it as one."""
    package = f"github.com/hashicorp/vault/builtin/credential/{method}/cmd/{method}"
    return Tool(f"vault-plugin-auth-{method}", "v1.14.8", "tools/go/vault-plugins", package, usually)


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("etcd", "v3.6.16", "tools/go/etcd", "go.etcd.io/etcd/server/v3", "1 minute"),
        _kubernetes("kube-apiserver", "7 minutes"),
        _kubernetes("kubectl", "1 minute after kube-apiserver, 3 alone"),
        Tool("crossplane-client", "v1.20.0", "tests/interop", ".", "1 minute", ours=True),
        Tool("opf-peer", "v1.0.0", "tests/interop/opf", ".", "seconds", ours=True),
        Tool("memory-backend", "v1.0.0", "tests/interop/backend", ".", "seconds", ours=True),
        Tool("rbac-proxy", "v1", "tests/rbacproxy", ".", "seconds", ours=True),
        _vault_plugin("aws", "2 minutes"),
        _vault_plugin("ldap", "1 minute, seconds after the one for aws"),
        Tool("helm", "v4.3.1", "tools/go/helm", "helm.sh/helm/v4/cmd/helm", "5 minutes"),
    )
}
"""Every tool by its name. A new one is a row here, and a module below tools/go/ made with
`go mod init`, `go get -tool PACKAGE@VERSION` and `go mod tidy`."""


def cache() -> Path:
    """The folder of this project in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "store-plugin"


def build(tools: Sequence[Tool]) -> None:
    """Build what is missing of `tools`, one after the other.

    Raises Unavailable after it tried them all: one that fails keeps no other from being built.
    """
    if all(tool.path().exists() for tool in tools):
        return
    go = _go()
    with _alone():
        _remove_leftovers()
        # Another run may have built some while this one waited.
        failed = [tool.name for tool in tools if not tool.path().exists() and not _build(go, tool)]
    if failed:
        raise Unavailable(
            f"{', '.join(failed)} could not be built; Go's own lines above say why. A build needs about "
            "4 GiB of disk and, the first time, a Go module proxy ('go env GOPROXY')"
        )


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the cache: two builds at once only make each other slow."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is building tools; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_leftovers() -> None:
    """What a killed build left behind. Only while the lock is held: else it may be another's."""
    for directory in (cache() / "bin").glob(f"{_UNFINISHED}*"):
        shutil.rmtree(directory, ignore_errors=True)


def _build(go: str, tool: Tool) -> bool:
    """Whether it could be built. It appears in the cache complete, or not at all."""
    say(f"{tool.name} {tool.version}: building from its Go module; the first time takes {tool.usually}")
    started = time.monotonic()
    tool.path().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tool.path().parent, prefix=_UNFINISHED) as directory:
        made = Path(directory) / tool.name
        command = [go, "build", "-trimpath", f"-ldflags={_linker_flags(tool)}", "-o", str(made), tool.package]
        if not _succeeds(command, tool.directory):
            return False
        made.replace(tool.path())
    say(f"{tool.name} {tool.version}: built in {time.monotonic() - started:.0f} s: {tool.path()}")
    return True


def _linker_flags(tool: Tool) -> str:
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in (tool.variables or {}).items())])


def _succeeds(command: Sequence[str], directory: Path) -> bool:
    # GOFLAGS replaces the user's: the sums decide, nothing is looked up anew. Without cgo no
    # C compiler is needed, and what is built runs on any distribution.
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    try:
        subprocess.run(
            command, cwd=directory, env={**os.environ, **settings}, check=True, timeout=_BUDGET_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        say(f"{type(error).__name__} in {directory}")
        return False
    return True


def _go() -> str:
    """The go command. Raises Unavailable where it is missing or too old to help itself."""
    go = shutil.which("go")
    wanted = HOW_TO_GET_GO.format(*OLDEST_GO)
    if go is None:
        raise Unavailable(f"Go is not installed: {wanted}")
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    if _number(version) < OLDEST_GO:
        raise Unavailable(f"{go} is {version.strip() or 'broken'}, which is too old: {wanted}")
    return go


def _number(version: str) -> tuple[int, ...]:
    """`go1.26.3` as (1, 26); nothing of what isn't such a version, as development builds."""
    parts = version.strip().removeprefix("go").split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def say(line: str) -> None:
    """A progress line: unbuffered, since a build says nothing for minutes."""
    print(f"tools: {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Build, or list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TOOLS)}; none: all")
    parser.add_argument("--list", action="store_true", help="build nothing; print where each tool is")
    parser.add_argument(
        "--optional", action="store_true", help="a tool that can't be built is a warning, unless CI=true"
    )
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(TOOLS)):
        parser.error(f"no such tool: {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    tools = [TOOLS[name] for name in arguments.names] or list(TOOLS.values())
    if arguments.list:
        print("\n".join(f"{tool.name}\t{tool.path()}" for tool in tools if tool.path().exists()))
        return
    try:
        build(tools)
    except Unavailable as error:
        if not arguments.optional or os.environ.get("CI") == "true":
            sys.exit(f"tools: {error}")
        say(f"{error}. TESTS THAT NEED IT ARE SKIPPED")


if __name__ == "__main__":
    main()
