"""Options that commands share: old spellings still work."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from edgener_runtime.cli.options import RenamedOption

OLD = {"--on-bad-line": {"error": "stop"}}


@click.command()
@click.option(
    "--on-error", cls=RenamedOption, old=OLD, type=click.Choice(["stop", "skip"]), default="stop", show_default=True
)
@click.option("--length", "lengths", cls=RenamedOption, old={"--lengths": {}}, type=int, multiple=True)
def read(on_error: str, lengths: tuple[int, ...]) -> None:
    """Read."""
    click.echo(f"{on_error} {lengths}")


Invoke = Callable[..., tuple[int, str, str]]


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Invoke:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            read.main(list(arguments))
        written = capsys.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return call


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "stop ()"),
        (("--on-error", "skip", "--length", "3"), "skip (3,)"),
        (("--on-bad-line", "skip"), "skip ()"),
        (("--on-bad-line=error",), "stop ()"),
        (("--on-bad-line", "stop"), "stop ()"),
        (("--lengths", "3", "--lengths=4"), "stop (3, 4)"),
    ],
)
def test_old_spellings_and_their_values_still_work(arguments: tuple[str, ...], expected: str, invoke: Invoke) -> None:
    code, out, err = invoke(*arguments)
    assert (code, out) == (0, f"{expected}\n")
    old = {word.partition("=")[0] for word in arguments} & {"--on-bad-line", "--lengths"}
    new = {"--on-bad-line": "--on-error", "--lengths": "--length"}
    assert err == "".join(f"note: {spelling} is now called {new[spelling]}\n" for spelling in old)


def test_an_old_spelling_is_checked_and_not_shown(invoke: Invoke) -> None:
    code, _, err = invoke("--on-bad-line", "retry")
    assert code == 2 and "'retry' is not one of 'stop', 'skip'" in err
    assert "--on-bad-line" not in invoke("--help")[1]
