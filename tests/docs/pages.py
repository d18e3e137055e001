"""The documents, and what can be picked out of them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def pages() -> list[Path]:
    """All that a person reads."""
    charts = sorted((ROOT / "charts").glob("*/README.md"))
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *charts]


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks in a language."""
    return blocks_of(page.read_text(), language)


def blocks_of(text: str, language: str) -> list[str]:
    """Those of a part of a page."""
    return [block for found, block in _BLOCK.findall(text) if found == language]


def prose(page: Path) -> str:
    """The page without code."""
    return _SPAN.sub("", _BLOCK.sub("", page.read_text()))


def code(text: str) -> str:
    """Only what stands in code blocks and between backquotes."""
    found = [block for _, block in _BLOCK.findall(text)]
    return "\n".join([*found, *_SPAN.findall(_BLOCK.sub("", text))])


def section(page: Path, title: str) -> str:
    """What stands under a heading of the second level."""
    _, found, rest = page.read_text().partition(f"\n## {title}\n")
    assert found, f"{page.name} has no section {title!r}"
    return rest.partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of all tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {number for number, row in enumerate(cells) if all(set(cell) <= {"-"} and cell for cell in row)}
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(cells) if number not in rules | heads]
