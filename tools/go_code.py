"""Whether the generated Go code of the tests still is what its .proto files say.

Go's compiler for protobuf is not at hand everywhere. Its output holds the descriptor that it was
made from, so protoc's own descriptor of today tells the drift.
"""

import re
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

_RAW = re.compile(r"_rawDesc = \[\]byte\{(.*?)\n\}", re.DOTALL)
_BYTE = re.compile(r"0x([0-9a-f]{2})")


def stale(proto: Path, code: Path, included: list[str]) -> bool:
    """Whether `code` was made from another `proto`. `included`: protoc's options for imports."""
    return _embedded(code) != _described(proto, included)


def _embedded(code: Path) -> FileDescriptorProto | None:
    found = _RAW.search(code.read_text()) if code.exists() else None
    if found is None:
        return None
    return FileDescriptorProto.FromString(bytes.fromhex("".join(_BYTE.findall(found[1]))))


def _described(proto: Path, included: list[str]) -> FileDescriptorProto:
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "descriptors"
        command = ["protoc", f"-I{proto.parent}", *included, f"--descriptor_set_out={target}", proto.name]
        if protoc.main(command) != 0:
            raise SystemExit("protoc failed")
        return FileDescriptorSet.FromString(target.read_bytes()).file[0]
