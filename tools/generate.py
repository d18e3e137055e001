"""Make the code that is made from other files, or with --check say what has drifted.

Run by `make generate` and `make check`. The generated code is committed, so that neither
users nor CI need a compiler to install the project.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import google.rpc
from grpc_tools import protoc

from store_plugin.crds.collection import as_yaml, definitions
from tools.charts import generate_charts, generated_files
from tools.go_code import stale

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
CRDS = "crds"
RENEWER = "examples/token-renewer"
GO = ROOT / "tests" / "interop" / "opf"
GO_PROTOS = (GO / "stream.proto", ROOT / RENEWER / "token_provider.proto")
"""What the programs in Go of the tests were generated from."""
HEADER = "# Generated from the models by 'make generate'. Do not edit.\n"


def generate(target: Path) -> None:
    """Write everything generated below `target`, laid out as in the checkout."""
    generate_messages(PROTO, target)
    generate_messages(ROOT / RENEWER, target / RENEWER, stubs=True)
    generate_crds(target / CRDS)
    generate_charts(ROOT, target)


def generate_messages(protos: Path, target: Path, *, stubs: bool = False) -> None:
    """The messages of all files below `protos`, and where asked for gRPC's stubs: the protocol's
    own handlers take bytes, what operators and plugins are written with does not."""
    target.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    included = [f"-I{protos}", *imports()]
    wanted = ["python", "pyi", *(["grpc_python"] if stubs else [])]
    if protoc.main(["protoc", *included, *(f"--{one}_out={target}" for one in wanted), *sources]) != 0:
        sys.exit("protoc failed")


def imports() -> list[str]:
    """protoc's options for what our files import."""
    google_apis = Path(next(iter(google.rpc.__path__))).parent.parent
    return [f"-I{files('grpc_tools') / '_proto'}", f"-I{google_apis}"]


def stale_go() -> list[str]:
    """Generated code in Go, which this does not make, whose .proto has changed since."""
    code = {GO / f"{proto.stem}.pb.go": proto for proto in GO_PROTOS}
    return [str(go.relative_to(ROOT)) for go, proto in code.items() if stale(proto, go, imports())]


def generate_crds(target: Path) -> None:
    """A file for each kind of config, from the models."""
    target.mkdir(exist_ok=True)
    for definition in definitions():
        (target / f"{definition.plural}.yaml").write_text(HEADER + as_yaml([definition]))


def drifted(fresh: Path) -> list[str]:
    """Files of the checkout that differ from what was made anew, or should not be there."""
    made = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    committed = {path.relative_to(ROOT) for path in generated()}
    wrong = {path for path in made if not same(fresh / path, ROOT / path)}
    return sorted(map(str, wrong | (committed - made)))


def generated() -> Iterator[Path]:
    """What is generated and committed."""
    for folder in ("store_plugin", RENEWER):
        yield from (path for path in (ROOT / folder).glob("**/*_pb2*.py*") if path.suffix != ".pyc")
    yield from (ROOT / CRDS).glob("*.yaml")
    yield from generated_files(ROOT)


def same(one: Path, other: Path) -> bool:
    """Whether both exist with the same content."""
    return other.exists() and one.read_bytes() == other.read_bytes()


def main() -> None:
    """Generate in place, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where files have drifted")
    if not parser.parse_args().check:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as directory:
        generate(Path(directory))
        if wrong := drifted(Path(directory)):
            sys.exit("generated files have drifted; run 'make generate' and commit: " + ", ".join(wrong))
    if wrong := stale_go():
        sys.exit("the .proto of these has changed; run protoc with protoc-gen-go: " + ", ".join(wrong))
    print("generated code is up to date")


if __name__ == "__main__":
    main()
