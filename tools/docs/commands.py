"""Markdown pages of a click program: every command with its usage, examples and options, as `--help` has them."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

import click

_MARKUP = re.compile(r"([\\|*_<>\[\]`])")


def command_page(program: click.Group, name: str) -> str:
    """The page of a program: its own help, then one section per command in the order of `--help`."""
    head = f"# {name}\n\nThis page is generated from `{name} --help`.\n"
    return "\n".join([head, *_help_text(program), *_sections(program, name)])


def _sections(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _sections(command, f"{path} {name}")
        else:
            yield from _section(command, f"{path} {name}")


def _section(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f"## {path}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield from _help_text(command)
    if rows := list(_options(command, context)):
        yield "\n".join(["| Option | Description |", "| --- | --- |", *rows, ""])


def _help_text(command: click.Command) -> Iterator[str]:
    """Paragraphs of prose; those that `\\b` keeps as they are become code."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        first, _, rest = paragraph.partition("\n")
        if first.strip() != "\b":
            yield f"{_escaped(paragraph)}\n"
            continue
        title, _, code = rest.partition("\n")
        yield f"{_escaped(title)}\n"
        yield f"```sh\n{inspect.cleandoc(code)}\n```\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.params:
        record = option.get_help_record(context)
        if record and not getattr(option, "hidden", False):
            names, text = record
            yield f"| {_as_code(names)} | {_escaped(' '.join(text.split()))} |"


def _as_code(text: str) -> str:
    """Code in a cell, which may wrap after each of several choices."""
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;<wbr>')}</code>"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
