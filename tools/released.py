"""Keep the wire of a release, for the tests that hold later versions against it.

Run once for each release: `python -m tools.released`. It writes the descriptors of what our
processes say to each other into tests/wire/released/VERSION.binpb. Once that version is out, the
file is never changed: peers of it exist. Before, remove it and write it again.
"""

from importlib import import_module
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from store_plugin import __version__

RELEASED = Path(__file__).resolve().parent.parent / "tests" / "wire" / "released"
SPOKEN = ("ess", "ess_design", "backend", "plugin_stream", "lifecycle", "control")
"""Files of proto/ that are ours. What else is there, such as reflection, is others'."""


def descriptors() -> FileDescriptorSet:
    """Of all that this version speaks, with what that is made of."""
    found = FileDescriptorSet()
    waiting = [import_module(f"store_plugin._proto.{name}_pb2").DESCRIPTOR for name in SPOKEN]
    files = {}
    while waiting:
        file = waiting.pop()
        files[file.name] = file
        waiting += file.dependencies
    for _, file in sorted(files.items()):
        file.CopyToProto(found.file.add())
    return found


def main() -> None:
    """Write the file of this version, unless it is there."""
    path = RELEASED / f"{__version__}.binpb"
    if path.exists():
        raise SystemExit(f"{path.name} is there: what is out stays as it was; remove it where it is not out")
    path.write_bytes(descriptors().SerializeToString(deterministic=True))
    print(f"{path.name} is written; commit it with the release")


if __name__ == "__main__":
    main()
