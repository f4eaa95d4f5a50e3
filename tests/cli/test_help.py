"""Helps at 80 columns: the summary of every command fits its line, and every option says what it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from edgener.cli.main import main
from edgener_runtime.cli.commands import LazyCommands
from edgener_runtime.cli.main import main as runtime
from edgener_runtime.cli.options import FiniteRange


def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for own, inner in command.commands.items():
            yield from walk(f"{name} {own}", inner)


COMMANDS = dict((*walk("edgener", main), *walk("edgener-runtime", runtime)))
GROUPS = [name for name, command in COMMANDS.items() if isinstance(command, click.Group)]


def cut_summaries(group: click.Command) -> list[str]:
    """The lines of a group's list of commands that end in three dots."""
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(group, ["--help"], prog_name="edgener").stdout
    return [line for line in shown.partition("Commands:")[2].splitlines() if line.endswith("...")]


@pytest.mark.parametrize("name", GROUPS)
def test_every_summary_fits_its_line(name: str) -> None:
    assert cut_summaries(COMMANDS[name]) == []


def test_a_cut_summary_is_found() -> None:
    group = click.Group("planted", commands=[click.Command("long", help="Say much " * 20)])
    assert len(cut_summaries(group)) == 1


@pytest.mark.parametrize("group", [main, runtime], ids=lambda group: group.name)
def test_the_summaries_of_a_table_are_those_of_the_helps(group: click.Group) -> None:
    assert isinstance(group.commands, LazyCommands)
    assert group.commands.summaries == {name: each.get_short_help_str(99) for name, each in group.commands.items()}


@pytest.mark.parametrize("group", ["edgener", "edgener_runtime"])
def test_a_help_loads_no_command(group: str) -> None:
    code = (
        "import sys, click.testing\n"
        f"from {group}.cli.main import COMMANDS, main\n"
        "done = click.testing.CliRunner().invoke(main, ['--help'])\n"
        "assert done.exit_code == 0 and all(name in done.stdout for name in COMMANDS)\n"
        "print([module for module in COMMANDS.modules.values() if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_begins_with_a_sentence_and_every_option_has_one(name: str) -> None:
    command = COMMANDS[name]
    assert command.help and command.help.split("\n")[0].strip()[-1] in ".:"
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    assert [option.name for option in options if not option.help or option.help.startswith("Of ")] == []


def unbounded(command: click.Command) -> list[str | None]:
    """The numbers of a command that may be NaN, which no bound of click refuses."""
    ranges = (each for each in command.params if isinstance(each.type, click.FloatRange))
    return [each.name for each in ranges if not isinstance(each.type, FiniteRange)]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_number_within_bounds_may_be_nan(name: str) -> None:
    assert unbounded(COMMANDS[name]) == []


def test_a_number_that_may_be_nan_is_found() -> None:
    planted = click.Command("planted", params=[click.Option(["--share"], type=click.FloatRange(0, 1))])
    assert unbounded(planted) == ["share"]


def test_old_spellings_still_work() -> None:
    """Each option of several commands has one spelling; what it was called before is taken with a note."""
    done = CliRunner().invoke(main, ["data", "inspect", "--data", "builtin:factory", "--on-bad-line", "error"])
    assert done.exit_code == 0 and done.stderr == "note: --on-bad-line is now called --on-error\n"
    done = CliRunner().invoke(main, ["export", "nowhere", "--data", "builtin:factory", "--out", "x", "--variants", "a"])
    assert done.exit_code == 2 and "note: --variants is now called --variant\n" in done.stderr
    assert "there is no variant 'a'" in done.stderr
    done = CliRunner().invoke(runtime, ["serve", "nowhere", "--max-body", "none"])
    assert done.exit_code == 2 and "note: --max-body is now called --max-bytes\n" in done.stderr
