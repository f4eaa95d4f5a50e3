"""The peer that runs in node finds words and case classes by itself: they are those of Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from benchmarks.peers.environments import command_of, versions
from tokenizers import Tokenizer
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from edgener_runtime.errors import DeviceError
from edgener_runtime.text.casing import case_classes

ROOT = Path(__file__).resolve().parents[2]
LOOP = ROOT / "benchmarks" / "peers" / "workers" / "transformersjs_loop.cjs"
NODE = shutil.which("node")
TEXTS = (
    "Dr. O'Neill of AT&T paid $5+2 in St.Gallen",
    "上海Anna在Berlin工作。서울 Tokyo",
    "naïve Ünïcode №5 e\u0301a \u0301 x",
    "😀 Ann😀a B2B McCoy iPhone",
    "zero\u200bwidth soft\u00adhyphen\ttab\u3000wide",
    "１２ＡＢ ﬁsh ß Ⅷ",
    "",
)


@pytest.mark.skipif(not NODE, reason="node is not installed")
@pytest.mark.parametrize("text", TEXTS)
def test_words_and_case_classes_in_node_are_those_of_python(text: str) -> None:
    tokenizer = Tokenizer.from_str((ROOT / "runtime" / "tests" / "bundle" / "tokenizer.json").read_text("utf-8"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    encoding = tokenizer.encode(text)
    pieces = list(zip(encoding.tokens, encoding.offsets, strict=True))[1:-1]
    starts = [start for piece, (start, _) in pieces if not piece.startswith("##")]
    found = in_node("wordsOf(text).map(([start]) => [...text.slice(0, start)].length)", text)
    assert found == starts
    assert in_node("wordsOf(text).map(([start]) => caseClasses(text)[start])", text) == case_classes(text, starts)


def in_node(expression: str, text: str) -> Any:
    script = f"const {{ wordsOf, caseClasses }} = require({json.dumps(str(LOOP))}); const text = {json.dumps(text)};"
    command = [str(NODE), "-e", f"{script} console.log(JSON.stringify({expression}))"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def node_environment(cache: Path) -> None:
    packages = cache / "envs" / "fake" / "node_modules"
    (packages / "@some" / "package").mkdir(parents=True)
    (packages.parent / "package.json").write_text('{"dependencies": {"@some/package": "1.2.3"}}')
    (packages / "@some" / "package" / "package.json").write_text('{"version": "1.2.3"}')


def test_a_worker_of_nodes_packages_is_run_by_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_environment(tmp_path)
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\necho v20.0.0\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(node.parent) + os.pathsep + os.environ["PATH"])
    assert command_of(tmp_path, "fake", tmp_path / "loop") == [str(node), str(tmp_path / "loop.cjs")]
    assert versions(tmp_path, "fake") == {"@some/package": "1.2.3", "node": "v20.0.0"}


def test_a_missing_node_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_environment(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="there is no node for fake"):
        command_of(tmp_path, "fake", tmp_path / "loop")
