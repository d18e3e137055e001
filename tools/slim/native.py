"""Debugging symbols out of native modules: a third of the environment, read by debuggers only.

`strip` would come with a compiler, which no slim base has. What a program needs of an ELF file
are its segments; symbols and the table of sections stand behind the last one. So the file is cut
there, and its header says that there is no such table, as `sstrip` does it.
"""

import struct
from pathlib import Path

_MAGIC = b"\x7fELF\x02\x01"
"""64 bits, little-endian: every machine that wheels are made for."""
_HEADER = struct.Struct("<40xQ6xHHHHH")
"""Of it: offset of the section table, size and number of program headers, then of sections,
and the number of the section with their names."""
_PROGRAM_HEADERS_AT = struct.Struct("<32xQ")
_PROGRAM_HEADER = struct.Struct("<8xQ16xQ")
"""Of it: where the segment is in the file, and its length there."""
_SECTIONS_AT, _SECTION_COUNT_AT = 40, 60


def strip_all(packages: Path) -> None:
    """Strip every native module below this folder."""
    for path in packages.rglob("*.so*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(stripped(path.read_bytes()))


def stripped(content: bytes) -> bytes:
    """The file without what stands behind its segments; as it is, where it is not such a file."""
    if not content.startswith(_MAGIC):
        return content
    _, size, count, *_ = _HEADER.unpack_from(content)
    (begin,) = _PROGRAM_HEADERS_AT.unpack_from(content)
    headers = (_PROGRAM_HEADER.unpack_from(content, begin + number * size) for number in range(count))
    end = max([begin + count * size, *(offset + length for offset, length in headers)])
    kept = bytearray(content[:end])
    struct.pack_into("<Q", kept, _SECTIONS_AT, 0)
    struct.pack_into("<HH", kept, _SECTION_COUNT_AT, 0, 0)
    return bytes(kept)
