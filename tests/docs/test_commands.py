"""Our command lines take every command in the documents, and the command reference has every option."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgener.cli.main import main as build_side
from edgener_runtime.cli.main import main as device_side

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))
from commands import command_page  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/*.md")])
PAGES = [page for page in PAGES if page.name != "CHANGELOG.md" and not page.is_relative_to(ROOT / "out")]
BLOCK = re.compile(r"^```sh[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(edgener(?:-runtime)? [^`]+)`")
GROUPS: dict[str, click.Group] = {"edgener": build_side, "edgener-runtime": device_side}
ENDS = {"|", "||", "&&", ";", ">", "2>"}


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """The words of each command of ours in the shell blocks of a page, up to a pipe or a redirection."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for start, word in enumerate(words):
                if word in GROUPS and (start == 0 or words[start - 1] in ENDS):
                    end = next((i for i in range(start, len(words)) if words[i] in ENDS), len(words))
                    yield tuple(words[start:end])


def parse(words: tuple[str, ...]) -> None:
    """Raises a click error where the command line is wrong; file names need not exist."""
    group, [_, *arguments] = GROUPS[words[0]], words
    while True:
        command = group.get_command(click.Context(group), arguments[0])
        assert command is not None, f"there is no command {arguments[0]}"
        if not isinstance(command, click.Group):
            command.make_context(arguments[0], list(arguments[1:]))
            assert not old_spellings(command) & set(arguments), "use the new spelling"
            return
        group, arguments = command, arguments[1:]


def old_spellings(command: click.Command) -> set[str]:
    """Those that still work, and print a note."""
    return {spelling for option in command.params for spelling in getattr(option, "old", ())}


FOUND = sorted({words for page in PAGES for words in commands(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("words", FOUND, ids=" ".join)
def test_a_command_of_a_document_is_taken(words: tuple[str, ...]) -> None:
    parse(words)


def test_the_documents_have_commands() -> None:
    assert len(FOUND) > 40


@pytest.mark.parametrize("line", ["edgener train --no-such-option", "edgener-runtime nothing out/bundle"])
def test_a_wrong_command_is_found(line: str) -> None:
    [words] = commands(f"```sh\n{line}\n```\n")
    with pytest.raises((click.UsageError, AssertionError)):
        parse(words)


def test_a_command_that_is_named_exists() -> None:
    """In running text, such as `edgener data inspect`."""
    for page in PAGES:
        for text in INLINE.findall(page.read_text(encoding="utf-8")):
            name = text.split()[1]
            known = GROUPS[text.split()[0]].commands
            assert name in known or name.startswith("-"), f"{page.name}: {text}"


@pytest.mark.parametrize("name", GROUPS)
def test_the_reference_has_every_command_and_option(name: str) -> None:
    page = command_page(GROUPS[name], name)

    def missing(group: click.Group, path: str) -> Iterator[str]:
        for command in group.commands.values():
            here = f"{path} {command.name}"
            if isinstance(command, click.Group):
                yield from missing(command, here)
                continue
            section = page.partition(f"## {here}\n")[2].partition("\n## ")[0]
            options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
            yield from (f"{here} {option.opts[0]}" for option in options if option.opts[0] not in section)

    assert list(missing(GROUPS[name], name)) == []


def test_examples_become_code_and_mark_up_is_escaped() -> None:
    @click.command(help="Take <this>.\n\n\b\nExample:\n  program go --a 1")
    @click.option("--a", type=click.Choice(["x", "y"]), help="One of x|y.")
    def go(a: str) -> None: ...

    page = command_page(click.Group("program", {"go": go}), "program")
    assert "Take \\<this\\>." in page and "```sh\nprogram go --a 1\n```" in page
    assert "| <code>--a [x&#124;<wbr>y]</code> | One of x\\|y. |" in page
