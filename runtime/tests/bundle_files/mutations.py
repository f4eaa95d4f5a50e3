"""Changes of a bundle's files: bytes, JSON by its grammar, graphs by their messages; the manifest's hashes follow."""

from __future__ import annotations

import hashlib
import json
import random
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .wire_edit import BYTES, VARINT, Field, decode, encode

TEXTS = (
    "", " ", "x", "fp32", "input_ids", "logits", "泵", "\u202e", "\x1b[2J", "\x00", "../x", "/etc/passwd", "[UNK]", "O",
    "I-", "x" * 5000, "\ud800", "CPUExecutionProvider", "99.99", "(a+)+$", "\\p{L}", "a{999}", "WordPiece", "BPE",
    "Unigram", "WordLevel", "Sequence", "Replace", "Split", "ByteLevel", "Metaspace", "NFKC", "Precompiled", "Prepend",
)  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    63,
    64,
    65,
    127,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    10**30,
    -(2**63),
)
LITERALS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-0.0",
    "1e-400",
    "0x1",
    "[" * 2000 + "]" * 2000,
    '{"a":' * 90 + "1" + "}" * 90,
)
_LITERAL = "\uffffliteral\uffff"
_DEEPEST = 12  # messages in messages


class Mutator:
    """Changes of bundles, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def change(self, bundle: Path) -> tuple[str, str]:
        """Change a bundle in one way; the kind of the change, and the variant to load."""
        graphs = sorted(path.stem for path in (bundle / "variants").glob("*.onnx"))
        variant = self.random.choice(graphs)
        kinds: dict[str, Callable[[Path, str], object]] = {
            "manifest": self._manifest, "tokenizer": self._tokenizer, "graph": self._graph, "bytes": self._bytes,
            "files": self._files,
        }  # fmt: skip
        kind = self.random.choices([*kinds], [5, 6, 6, 3, 1])[0]
        kinds[kind](bundle, variant)
        return kind, variant

    def _manifest(self, bundle: Path, variant: str) -> None:
        path = self.random.choice([bundle / "manifest.json", bundle / "variants" / f"{variant}.json"])
        path.write_bytes(self.json(path.read_bytes()))
        if path.name != "manifest.json":
            relist(bundle)

    def _tokenizer(self, bundle: Path, variant: str) -> None:
        path = bundle / "tokenizer.json"
        path.write_bytes(self.json(path.read_bytes(), "model"))
        relist(bundle)

    def _graph(self, bundle: Path, variant: str) -> None:
        path = bundle / "variants" / f"{variant}.onnx"
        data = path.read_bytes()
        for _ in range(self.random.choice([1, 1, 1, 2, 5])):
            data = self.message(data)
        path.write_bytes(data)
        relist(bundle)

    def _bytes(self, bundle: Path, variant: str) -> None:
        names = ["manifest.json", "tokenizer.json", f"variants/{variant}.json", f"variants/{variant}.onnx"]
        path = bundle / self.random.choice([*names, "parity.json", "parity.md", "reproduce.sh"])
        path.write_bytes(self.bytes(path.read_bytes()))
        if path.name != "manifest.json" and self.random.random() < 0.9:
            relist(bundle)

    def _files(self, bundle: Path, variant: str) -> None:
        one, other = self.random.sample(sorted(path for path in bundle.rglob("*") if path.is_file()), 2)
        match self.random.randrange(4):
            case 0:
                one.unlink()
            case 1:
                (bundle / "extra").write_bytes(one.read_bytes())
            case 2:
                content = one.read_bytes()
                one.write_bytes(other.read_bytes())
                other.write_bytes(content)
            case _:
                one.unlink()
                one.symlink_to(other)
        if (bundle / "manifest.json").is_file() and self.random.random() < 0.7:
            relist(bundle)

    def bytes(self, data: bytes) -> bytes:
        """Flip, cut, double, insert or replace bytes."""
        changed, at = bytearray(data), self.random.randrange(len(data) + 1)
        size = self.random.choice([1, 1, 2, 8, 200])
        match self.random.randrange(6):
            case 0 | 1:
                for _ in range(size):
                    changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + size]
            case 4:
                changed[at:at] = self.random.randbytes(size)
            case _:
                changed[at:at] = changed[at : at + 2000]
        return bytes(changed)

    def json(self, data: bytes, favourite: str = "") -> bytes:
        """Change JSON in one to three places; `favourite` names a key below which little is changed."""
        content = json.loads(data)
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            self._change_inside(content, favourite)
        text = json.dumps(content, ensure_ascii=self.random.random() < 0.5)
        text = text.replace(json.dumps(_LITERAL), self.random.choice(LITERALS)).replace(f'"{_LITERAL}"', "NaN")
        if self.random.random() < 0.05:
            key = self.random.choice([*content])
            text = "{" + json.dumps(key) + ": " + json.dumps(content[key]) + ", " + text[1:]
        return text.encode("utf-8", "surrogatepass")

    def _change_inside(self, content: Any, favourite: str) -> None:
        places = [place for place in _places(content) if len(place) < 4 or self.random.random() < 0.02]
        if favourite and self.random.random() < 0.7:  # large vocabularies leave few other places
            places = [place for place in places if place[-1] != "vocab" and "vocab" not in place[:-1]]
        *above, last = self.random.choice(places)
        inner = content
        for key in above:
            inner = inner[key]
        match self.random.randrange(8):
            case 0:
                del inner[last]
            case 1 if isinstance(inner, list):
                inner.append(inner[last])
            case 2 if isinstance(inner, list):
                self.random.shuffle(inner)
            case 3 if isinstance(inner, dict):
                inner[self.random.choice(TEXTS)] = self._value()
            case 4 if isinstance(inner[last], str):
                text = inner[last]
                at = self.random.randrange(len(text) + 1)
                inner[last] = text[:at] + self.random.choice(TEXTS) + text[at + self.random.randrange(2) :]
            case 5 if isinstance(inner[last], (int, float)):
                inner[last] = self.random.choice(NUMBERS)
            case _:
                inner[last] = self._value()

    def _value(self) -> Any:
        text, number = self.random.choice(TEXTS), self.random.choice(NUMBERS)
        part = {"type": self.random.choice(TEXTS)}
        choices: list[Any] = [
            None, True, False, [], {}, [[]], [{}], 0.5, -1.5, 1e300, _LITERAL, [*TEXTS], text, text, number,
            {"type": "Lowercase"}, part | {"pattern": {"Regex": text}, "content": "x"},
            {"type": "Split", "pattern": {"Regex": text}, "behavior": "Removed", "invert": False},
            {"type": "Replace", "pattern": {"String": text}, "content": self.random.choice(TEXTS)},
            {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Prepend", "prepend": text}]},
            {"type": "Precompiled", "precompiled_charsmap": b64encode(self.random.randbytes(64)).decode()},
        ]  # fmt: skip
        return self.random.choice(choices)

    def message(self, data: bytes, depth: int = 0) -> bytes:
        """Change a message of protocol buffers in one place, at a random depth."""
        fields = decode(data)
        if not fields:
            return data + encode([self._field()])
        index = self.random.randrange(len(fields))
        if depth == 0:  # the graph has nearly all
            index = next(index for index, field in enumerate(fields) if field.number == 7)
        field = fields[index]
        if depth < _DEEPEST and field.kind == BYTES and (depth == 0 or self.random.random() < 0.75):
            try:
                inner = self.message(field.data, depth + 1)
            except (IndexError, ValueError):  # a text or weights
                inner = self.bytes(field.data)
            fields[index] = replace(field, data=inner)
            return encode(fields)
        match self.random.randrange(7):
            case 0:
                del fields[index]
            case 1:
                fields.insert(index, field)
            case 2:
                fields[index] = self._field(field.number)
            case 3:
                other = self.random.randrange(len(fields))
                fields[index], fields[other] = fields[other], field
            case 4 if field.kind == BYTES:
                others = [each.data for each in fields if each.number == field.number]
                fields[index] = replace(field, data=self.random.choice(others))
            case 5 if field.kind == BYTES:
                fields[index] = replace(field, data=self.bytes(field.data))
            case _:
                fields[index] = replace(field, value=self.random.choice(NUMBERS), data=field.data)
        return encode(fields)

    def _field(self, number: int | None = None) -> Field:
        number = number or self.random.randrange(1, 30)
        if self.random.random() < 0.5:
            return Field(number, VARINT, self.random.choice(NUMBERS))
        return Field(number, BYTES, data=self.random.choice(TEXTS).encode("utf-8", "surrogatepass"))


def _places(content: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside of JSON."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path for key, value in items for path in ((*above, key), *_places(value, (*above, key)))]


def relist(bundle: Path) -> None:
    """Give each listed file that is there its size and hash in the manifests; a damaged one stays as it is."""
    for path in (*sorted((bundle / "variants").glob("*.json")), bundle / "manifest.json"):
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            variants = manifest.get("variants", [manifest])
            listed = [*manifest["files"], *(variant.get("manifest") or variant["file"] for variant in variants)]
            changed = [entry for entry in listed if _listed_again(bundle, entry)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
            continue
        if changed:
            path.write_text(json.dumps(manifest), encoding="utf-8")


def _listed_again(bundle: Path, entry: dict[str, Any]) -> bool:
    """Whether an entry was not that of its file; now it is."""
    if not (bundle / entry["path"]).is_file():
        return False
    data = (bundle / entry["path"]).read_bytes()
    right = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    wrong = {key: entry.get(key) for key in right} != right
    entry.update(right)
    return wrong
