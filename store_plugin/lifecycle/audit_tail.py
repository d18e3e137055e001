"""The end of the audit record, and what comes to it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path


class AuditTail:
    """Reads the files of one audit directory, without a turn: writers are never kept waiting. Blocking."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: Path | None = None
        self._at = 0

    def last(self, records: int) -> list[str]:
        """The newest, oldest first; `fresh` goes on after them."""
        found: list[str] = []
        files = self._files()
        for file in reversed(files):
            lines, end = _whole_lines(file, 0)
            if file == files[-1]:
                self._file, self._at = file, end
            found = [*lines[-(records - len(found)) :], *found] if records > len(found) else found
            if len(found) >= records:
                break
        return found

    def fresh(self) -> Iterator[str]:
        """What has come since the last look; nothing is waited for."""
        for file in islice(self._files(), self._position(), None):
            if file != self._file:
                self._file, self._at = file, 0
            lines, self._at = _whole_lines(file, self._at)
            yield from lines

    def _position(self) -> int:
        files = self._files()
        return files.index(self._file) if self._file in files else 0

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("audit-*.jsonl"))


def _whole_lines(file: Path, at: int) -> tuple[list[str], int]:
    """Lines from a position on, and the position behind the last whole one."""
    with file.open("rb") as opened:
        opened.seek(at)
        content = opened.read()
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").splitlines(), at + len(whole)
