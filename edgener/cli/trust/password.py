"""The password of a key, or the PIN of a token: from the environment or a prompt, never from the command line."""

from __future__ import annotations

import os
import sys

import click

from edgener_runtime.errors import UserInputError

VARIABLE = "EDGENER_KEY_PASSWORD"


def read_password(what: str, *, confirm: bool = False) -> str:
    """The value of EDGENER_KEY_PASSWORD, which may be empty, or what is typed.

    Raises UserInputError where it is not set and nobody is there to type.
    """
    if (found := os.environ.get(VARIABLE)) is not None:
        return found
    if not sys.stdin.isatty():
        raise UserInputError(
            f"no password for {what}: {VARIABLE} is not set, and stdin is not a terminal",
            f"Set {VARIABLE}; an empty one is for a key without a password.",
        )
    return str(
        click.prompt(
            f"Password for {what}",
            hide_input=True,
            default="",
            show_default=False,
            confirmation_prompt=confirm,
            err=True,
        )
    )
