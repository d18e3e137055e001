"""The decisions are numbered one after the other, each number once."""

from tests.docs.pages import DOCS

PAGES = sorted((DOCS / "decisions").glob("*.md"))


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name.partition("-")[0] for page in PAGES]
    assert numbers == [f"{number:04}" for number in range(1, len(PAGES) + 1)]


def test_the_title_has_the_number_of_the_file() -> None:
    for page in PAGES:
        assert page.read_text().startswith(f"# {page.name[:4]} "), page.name
