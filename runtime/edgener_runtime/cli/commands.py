"""Commands that are loaded when they are called: a help, or another command, does not wait for their modules."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import click

from .console import CommandGroup


class LazyCommands(Mapping[str, click.Command]):
    """The commands of a group by name, from a table of name, module in `package`, and summary."""

    def __init__(self, package: str, *rows: tuple[str, str, str]) -> None:
        self.modules = {name: f"{package}.{module}" for name, module, _ in rows}
        self.summaries = {name: summary for name, _, summary in rows}

    def __getitem__(self, name: str) -> click.Command:
        found = vars(importlib.import_module(self.modules[name])).values()
        return next(one for one in found if isinstance(one, click.Command) and one.name == name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self.modules)


class LazyGroup(CommandGroup):
    """A group whose help shows the summaries of its table, without loading the commands."""

    def __init__(self, *, commands: LazyCommands, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = commands  # type: ignore[assignment]  # click only reads it
        self._summaries = commands.summaries

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the name and summary of each command."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._summaries.items()))
