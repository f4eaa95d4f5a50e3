"""Output of commands: results on stdout, and every error as a message on stderr with an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import click

from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import DeviceError, EdgenerError, StorageError

INTERRUPTED = 130  # 128 + SIGINT, what shells expect


class CommandGroup(click.Group):
    """A click group whose commands end with the exit code of the EdgenerError that they raise, without a traceback.

    `--debug` before the command shows the traceback.
    """

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."))

    def invoke(self, ctx: click.Context) -> Any:
        debug = ctx.params.pop("debug", False)
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            _report("interrupted; nothing half-written was left behind")
            ctx.exit(INTERRUPTED)
        except EdgenerError as error:
            if debug:
                raise
            _report(error.message, error.hint)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # the reader of our output has closed it
            _discard_stdout()
            ctx.exit(0)
        except MemoryError:
            if debug:
                raise
            _report("there is not enough memory left", "Free some memory, or process fewer texts at once.")
            ctx.exit(DeviceError.exit_code)
        except Exception as error:  # the boundary: everything else is our own error
            if debug:
                raise
            _report(f"internal error: {type(error).__name__}: {error}", "Run again with --debug before the command.")
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
        _discard_stdout()
        raise StorageError(f"cannot write to stdout: {error.strerror}", "Free some space.") from None


def _discard_stdout() -> None:
    """Discard what is still buffered: Python would write it again when it ends, and report the failure."""
    with contextlib.suppress(OSError):  # no real file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(message: str, hint: str | None = None) -> None:
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(escaped(message), err=True)
    if hint:
        click.echo(f"  {escaped(hint)}", err=True)
