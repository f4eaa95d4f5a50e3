"""The boundary between commands and people: every error becomes a message on stderr and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import click

from edgener_runtime.errors import DeviceError, EdgenerError, StorageError

INTERRUPTED = 130  # 128 + SIGINT, what shells expect


class CommandGroup(click.Group):
    """A click group whose commands end with the exit code of the EdgenerError they raise, without a traceback.

    `--debug` on the group lets the traceback through.
    """

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."))

    def invoke(self, ctx: click.Context) -> Any:
        debug = ctx.params.pop("debug", False)
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            _say("interrupted; nothing half-written was left behind")
            ctx.exit(INTERRUPTED)
        except EdgenerError as error:
            if debug:
                raise
            _say(error.message, error.hint)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # who reads our output has had enough
            _give_up_stdout()
            ctx.exit(0)
        except MemoryError:
            if debug:
                raise
            _say("there is not enough memory left", "Free some memory, or give it less at once.")
            ctx.exit(DeviceError.exit_code)
        except Exception as error:  # the boundary: whatever is left is a fault of ours
            if debug:
                raise
            _say(f"internal error: {type(error).__name__}: {error}", "Run again with --debug before the command.")
            ctx.exit(EdgenerError.exit_code)


def write_line(text: str) -> None:
    """A line of results on stdout, in UTF-8 whatever the locale; a lone surrogate as JSON's escape for it.

    Raises StorageError where stdout is a file on a full disk.
    """
    try:
        click.echo(text.encode("utf-8", "backslashreplace"))
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up_stdout()
        raise StorageError(f"cannot write to stdout: {error.strerror}", "Free some space.") from None


def _give_up_stdout() -> None:
    """Let what is still buffered go nowhere: Python would try to write it again at its end, and complain."""
    with contextlib.suppress(OSError):  # no real file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, hint: str | None = None) -> None:
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(message, err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
