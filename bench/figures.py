"""The figures and what they are held against, as one table."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, its value, and the bound where there is one."""

    what: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def verdict(self) -> str:
        if self.bound is None:
            return ""
        return "ok" if self.value <= self.bound else "MISSED"


@dataclass(slots=True)
class Table:
    """Figures in the order in which they were measured."""

    figures: list[Figure] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, bound: float | None = None) -> None:
        """Note a figure and show it at once."""
        figure = Figure(what, value, unit, bound)
        self.figures.append(figure)
        print(_line(figure), flush=True)

    def markdown(self) -> str:
        """All of it for docs/benchmarks.md."""
        head = "| figure | value | bound | |\n|---|---|---|---|\n"
        return head + "\n".join(
            f"| {f.what} | {f.value:.3g} {f.unit} | {_bound(f)} | {f.verdict} |" for f in self.figures
        )


def _line(figure: Figure) -> str:
    return f"{figure.what:<72} {figure.value:>9.3f} {figure.unit:<6} {_bound(figure):>10} {figure.verdict}"


def _bound(figure: Figure) -> str:
    return "" if figure.bound is None else f"≤ {figure.bound:g}"
