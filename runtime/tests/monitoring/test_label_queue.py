"""The queue of texts to label: which ones it keeps, and that no disk, kill or other process damages it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import Entity, TokenClassifier
from edgener_runtime.base.partial import locked
from edgener_runtime.monitoring import label_queue
from edgener_runtime.monitoring.label_queue import LabelQueue, masked
from edgener_runtime.monitoring.queue_file import MOST_TEXT, UncertainText
from edgener_runtime.text.chunks import ProbeText


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "queue.jsonl"


def texts(file: Path) -> list[str]:
    return [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").split("\n") if line]


def offer(queue: LabelQueue, *certainties: float) -> None:
    for certainty in certainties:
        queue.offer(UncertainText(certainty, f"text {certainty}", "v1"))


def test_the_least_certain_texts_are_kept_the_least_certain_first(file: Path) -> None:
    queue = LabelQueue(file, 3)
    offer(queue, 0.5, 0.9, 0.1, 0.3, 0.3, 0.7, 0.2, 0.8, 0.6)
    queue.flush()
    assert texts(file) == ["text 0.1", "text 0.2", "text 0.3"]
    assert queue.bar == 0.3
    offer(queue, 0.4, 0.15)
    queue.flush()
    assert texts(file) == ["text 0.1", "text 0.15", "text 0.2"]
    assert json.loads(file.read_text().split("\n")[0]) == {"text": "text 0.1", "certainty": 0.1, "bundle_version": "v1"}
    assert queue.state.texts == 3


def test_it_is_readable_by_its_owner_alone_and_goes_on_after_a_restart(file: Path) -> None:
    first = LabelQueue(file, 3)
    offer(first, 0.2, 0.4)
    first.flush()
    assert file.stat().st_mode & 0o777 == 0o600
    second = LabelQueue(file, 3)
    offer(second, 0.3, 0.5)
    second.flush()
    assert texts(file) == ["text 0.2", "text 0.3", "text 0.4"]


def test_a_file_that_was_moved_away_is_taken_and_a_new_one_begins(file: Path) -> None:
    queue = LabelQueue(file, 2)
    offer(queue, 0.1, 0.2)
    queue.flush()
    file.rename(file.with_name("taken.jsonl"))
    offer(queue, 0.15)
    queue.flush()
    assert texts(file) == ["text 0.15"]
    file.unlink()
    queue.flush()  # nothing new: it only looks
    assert queue.bar > 1 and queue.state.texts == 0 and not file.exists()


def test_two_queues_on_one_file_keep_the_least_certain_of_both(file: Path) -> None:
    queues = [LabelQueue(file, 4), LabelQueue(file, 4)]
    for number in range(20):
        offer(queues[number % 2], (number * 7 % 20) / 20)
        queues[number % 2].flush()
    assert texts(file) == ["text 0.0", "text 0.05", "text 0.1", "text 0.15"]


def test_while_another_process_writes_the_texts_wait(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_queue, "_WAIT", 0)
    queue = LabelQueue(file, 4)
    lock = file.with_name(".queue.jsonl.lock")
    lock.touch()
    offer(queue, 0.5)
    with locked(lock):
        queue.flush()
        assert not file.exists() and "another process" in str(queue.state.failure)
    queue.flush()
    assert texts(file) == ["text 0.5"]


FILL = """
import sys, time
from pathlib import Path
from edgener_runtime.monitoring.label_queue import LabelQueue
from edgener_runtime.monitoring.queue_file import UncertainText
queue, own = LabelQueue(Path(sys.argv[1]), 50), sys.argv[2]
for number in range(int(sys.argv[3])):
    queue.offer(UncertainText(1 / (number + 2), f"{own} {number}"))
    queue.flush()
    print(number, flush=True)
"""


def filling(file: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FILL, str(file), name, str(count)], stdout=subprocess.PIPE)


def test_two_processes_share_a_file(file: Path) -> None:
    processes = [filling(file, name, 40) for name in ("a", "b")]
    for process in processes:
        process.communicate(timeout=600)
    found = texts(file)
    assert len(found) <= 50 and any("a 3" in text for text in found) and any("b 3" in text for text in found)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_a_whole_file(file: Path) -> None:
    process = filling(file, "a", 100_000)
    assert process.stdout
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = texts(file)
    assert len(before) >= 20
    queue = LabelQueue(file, 50)
    offer(queue, 0.0)
    queue.flush()
    assert texts(file)[0] == "text 0.0" and set(before[:40]) <= set(texts(file))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE])
def test_a_full_read_only_or_broken_disk_is_reported_once_and_tried_again(
    number: int, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue = LabelQueue(file, 3)
    offer(queue, 0.4)
    queue.flush()
    with monkeypatch.context() as patched:

        def fail(path: Path, *arguments: Any, **options: Any) -> None:
            raise OSError(number, os.strerror(number))

        patched.setattr(Path, "touch" if number == errno.EROFS else "write_bytes", fail)
        offer(queue, 0.3)
        for _ in range(3):
            queue.flush()
        assert os.strerror(number) in str(queue.state.failure)
        assert texts(file) == ["text 0.4"]
    assert caplog.text.count("the label queue is not written") == 1
    queue.flush()
    assert queue.state.failure is None and "is written again" in caplog.text
    assert texts(file) == ["text 0.3", "text 0.4"]
    assert {path.name for path in file.parent.iterdir()} == {"queue.jsonl", ".queue.jsonl.lock"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_a_limit_of_the_system_is_a_failure_like_another(file: Path) -> None:
    code = f"import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n{FILL.rsplit('for', 1)[0]}" + (
        "queue.offer(UncertainText(0.5, 'x' * 9000))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "queue.flush()\nprint(queue.state)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file), ""], capture_output=True, text=True, check=True)
    assert "not written: cannot write" in done.stdout and not file.exists()


def test_texts_that_wait_in_memory_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    queue = LabelQueue(tmp_path / "file" / "queue.jsonl", 10)
    for number in range(1000):
        offer(queue, number / 1000)
        if number % 100 == 0:
            queue.flush()
    assert queue.state.failure and len(queue._new) <= 20 and queue.bar < 0.03


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"{", b"[1]", b'{"text": "labelled", "entities": []}', b'{"text": 1, "certainty": 0.1}']
)
def test_a_damaged_file_or_another_s_is_kept_under_another_name(content: bytes, file: Path) -> None:
    whole = UncertainText(0.1, "a").line()
    file.write_bytes(whole + content + b"\n")
    queue = LabelQueue(file, 3)
    offer(queue, 0.5)
    queue.flush()
    assert texts(file) == ["text 0.5"]
    aside = file.with_name("queue.jsonl.damaged")
    assert aside.read_bytes() == whole + content + b"\n"
    file.write_bytes(content)
    offer(queue, 0.4)
    queue.flush()
    assert "is not a label queue" in str(queue.state.failure)
    assert file.read_bytes() == content and aside.read_bytes().startswith(whole)


def test_a_folder_is_left_alone(tmp_path: Path) -> None:
    queue = LabelQueue(tmp_path, 3)
    offer(queue, 0.5)
    queue.flush()
    assert queue.state.failure and tmp_path.is_dir()


def test_a_text_too_long_for_an_annotator_is_counted_and_left_out(file: Path) -> None:
    queue = LabelQueue(file, 3)
    queue.offer(UncertainText(0.1, "x" * MOST_TEXT))
    queue.flush()
    assert queue.state.too_long == 1 and not file.exists()


def test_the_file_is_bounded_in_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgener_runtime.monitoring.queue_file.MOST_BYTES", 1000)
    monkeypatch.setattr(label_queue, "MOST_BYTES", 1000)
    queue = LabelQueue(file, 100)
    for number in range(100):
        queue.offer(UncertainText(number / 100, f"{number:02}" + "x" * 300))
    queue.flush()
    assert file.stat().st_size <= 1000 and [text[:2] for text in texts(file)] == ["00", "01"]


def test_the_file_is_written_on_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_queue, "SECONDS", 0.05)
    queue = LabelQueue(file, 3)
    offer(queue, 0.5)
    queue.keep_up()
    end = time.monotonic() + 600
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert texts(file) == ["text 0.5"]


def test_threads_offer_at_once(file: Path) -> None:
    queue = LabelQueue(file, 50)
    work = [
        threading.Thread(target=lambda own=own: [offer(queue, (own + 4 * n) / 400) for n in range(100)])
        for own in range(4)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    queue.flush()
    assert texts(file) == [f"text {number / 400}" for number in range(50)]


def test_entities_are_masked_by_their_type() -> None:
    text = "Ann of Berlin"
    entities = [Entity("PER", 0, 3, 1, "Ann"), Entity("LOC", 7, 13, 1, "Berlin")]
    assert masked(text, entities) == "[PER] of [LOC]"
    assert masked(text, []) == text


def test_a_classifier_offers_what_it_answers_but_not_its_own_probes(file: Path, bundle: Path) -> None:
    queue = LabelQueue(file, 10)
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        classifier.monitor(queue=queue)
        classifier.predict("Pump P-101 leaks")
        classifier.predict(ProbeText("probe"))
        classifier.predict_batch(["oil \ud800 leak\u2028", "", "Pump P-101 leaks"])
        counted, version = classifier.explain().drift, classifier.manifest.version
    assert sorted(texts(file)) == ["Pump P-101 leaks", "oil \ufffd leak\u2028"]
    assert counted and counted.counts.texts == 4
    assert {json.loads(line)["bundle_version"] for line in file.read_text().split("\n") if line} == {version}


def test_masked_texts_have_no_word_of_an_entity(file: Path, bundle: Path) -> None:
    given = "please check: Pump P-101 leaks at the seal"
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        classifier.monitor(drift=False, queue=LabelQueue(file, 10, masked=True))
        found = classifier.predict(given)
    (text,) = texts(file)
    assert found and text == masked(given, found)
