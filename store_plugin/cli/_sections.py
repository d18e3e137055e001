"""Help of a command with very many options: in sections, one for each thing they are about."""

from collections.abc import Mapping
from typing import Any

import click

Sections = Mapping[str, tuple[str, ...]]
"""Options by the title of their section, each by its first spelling, in the order of the help."""


class SectionedCommand(click.Command):
    """Options that no section names, as --help itself, come at the end."""

    def __init__(self, *arguments: Any, sections: Sections, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = {
            parameter.opts[0]: record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([shown.pop(name) for name in names])
        with formatter.section("Options"):
            formatter.write_dl(list(shown.values()))
