"""The agent, started here as ssh starts it on a device: whatever ends it, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edgener.fleet import agent as module

SOURCE = Path(module.__file__).read_bytes()
START = f"import sys; exec(sys.stdin.buffer.read({len(SOURCE)})); main(*sys.argv[1:])"
SLEEPS = "import sys, time; print('up', file=sys.stderr, flush=True); time.sleep(60)"
# a child in a session of its own, whose parent may be killed
BEGETS = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {SLEEPS!r}], start_new_session=True)"


class Client:
    """The other end of an agent's pipes."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how
        )
        self.send(SOURCE)
        self.hello = self.read()

    def send(self, content: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def ask(self, **ask: Any) -> None:
        self.send(json.dumps(ask).encode() + b"\n")

    def read(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def run(self, code: str) -> Any:
        self.ask(do="run", command=[sys.executable, "-c", code], environment={"SET": "so"})
        return self.read()

    def hang_up(self) -> list[Any]:
        """Close its stdin; returns its last answers."""
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        return list(iter(self.read, None))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(**how: Any) -> Client:
        clients.append(Client(tmp_path, **how))
        return clients[-1]

    yield make
    for client in clients:
        client.hang_up()
        client.process.wait(600)
    assert list(tmp_path.iterdir()) == []


def gone(pid: int) -> bool:
    for _ in range(6000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_files_go_there_and_come_back(start: Callable[..., Client]) -> None:
    client = start()
    client.ask(do="put", path="bundle/a b", size=3)
    client.send(b"\n\x00\xff")
    assert client.read() == {"put": "bundle/a b"}
    client.ask(do="get", path="bundle/a b")
    assert client.read() == {"size": 3}
    assert client.process.stdout and client.process.stdout.read(3) == b"\n\x00\xff"
    client.ask(do="get", path="none")
    assert client.read() == {"size": None}
    assert client.hang_up() == [{"nothing_left": True}]


def test_a_command_is_reported_line_by_line_and_how_it_ended(start: Callable[..., Client]) -> None:
    client = start()
    assert client.run("import os, sys; print(os.environ['SET'], os.getcwd(), file=sys.stderr); sys.exit(6)")["started"]
    assert client.read() == {"line": f"so {client.hello['folder']}"}
    assert client.read() == {"ended": 6}


def test_a_command_that_is_killed_is_reported_by_its_signal(start: Callable[..., Client]) -> None:
    client = start()
    client.run("import os; os.kill(os.getpid(), 9)")
    assert client.read() == {"ended": -9}


def test_a_command_is_asked_to_stop(start: Callable[..., Client]) -> None:
    client = start()
    client.run(f"try:\n  {SLEEPS}\nexcept KeyboardInterrupt:\n  sys.exit(130)")
    assert client.read() == {"line": "up"}
    client.ask(do="stop")
    assert client.read() == {"ended": 130}


def test_a_command_that_does_not_stop_is_killed(start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    quick = SOURCE.replace(b"GRACE = 20.0", b"GRACE = 0.20")
    assert quick != SOURCE
    monkeypatch.setitem(globals(), "SOURCE", quick)
    client = start()
    client.run(f"import signal; signal.signal(2, signal.SIG_IGN); {SLEEPS}")
    assert client.read() == {"line": "up"}
    client.ask(do="stop")
    assert client.read() == {"ended": -9}


def test_a_connection_that_ends_takes_the_command_with_it(start: Callable[..., Client]) -> None:
    client = start()
    pid = client.run(SLEEPS)["started"]
    assert client.read() == {"line": "up"}
    assert {"nothing_left": True} in client.hang_up()
    assert gone(pid)


def test_a_connection_may_end_in_the_middle_of_a_file(start: Callable[..., Client]) -> None:
    client = start()
    client.ask(do="put", path="bundle/model", size=100)
    client.send(b"half")
    fault, last = client.hang_up()
    assert fault["fault"] == "the connection ended in the middle of a file" and last == {"nothing_left": True}


lists_children = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc that lists children")


@lists_children
def test_a_child_that_outlives_its_command_ends_with_it(start: Callable[..., Client]) -> None:
    client = start()
    client.run(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session=True)")
    said = client.read()
    assert (client.read() if "line" in said else said) == {"ended": 0}


@lists_children
def test_a_child_of_a_command_that_died_is_found(start: Callable[..., Client]) -> None:
    client = start()
    pid = client.run(BEGETS)["started"]
    assert client.read() == {"line": "up"}
    [child] = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    assert {"nothing_left": True} in client.hang_up()
    assert gone(pid) and gone(child)


def test_a_connection_that_died_without_an_end_is_noticed(
    start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = SOURCE.replace(b"SILENCE = 120.0", b"SILENCE = 0.500")
    assert quick != SOURCE
    monkeypatch.setitem(globals(), "SOURCE", quick)
    client = start()
    pid = client.run(SLEEPS)["started"]
    assert client.process.wait(600) == 1 and gone(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(start: Callable[..., Client], number: int) -> None:
    client = start()
    client.run(SLEEPS)
    client.process.send_signal(number)
    assert client.process.wait(600) == 1


def test_a_signal_that_does_not_interrupt_its_reading_leaves_nothing(
    start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that comes just before it reads: a thread takes it, while the main thread waits."""
    late = "import signal, threading; threading.Timer(2, signal.raise_signal, [signal.SIGTERM]).start(); "
    monkeypatch.setitem(globals(), "START", late + START)
    client = start()
    assert client.read() == {"nothing_left": True}
    assert client.process.wait(600) == 1


def test_a_full_disk_is_reported_and_leaves_nothing(start: Callable[..., Client]) -> None:
    import resource

    client = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
    client.ask(do="put", path="model", size=5000)
    client.send(bytes(5000))
    assert client.read() == {"fault": "File too large", "at": None}
    assert client.read() == {"nothing_left": True}


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    client = Client(tmp_path / "none")
    assert client.hello["fault"] == "No such file or directory" and "none" in client.hello["at"]
    assert client.hang_up() == []


def test_it_needs_nothing_of_ours_and_no_new_python() -> None:
    import ast

    tree = ast.parse(SOURCE, feature_version=(3, 10))
    roots = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(root.startswith("edgener") for root in roots)
