"""Dataclasses to JSON and back, strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener_runtime.base.serde import SchemaError, from_json, has_field, load_json, to_dict, to_json

pytestmark = pytest.mark.compat


@dataclass(frozen=True)
class Screw:
    length: float
    name: str = "screw"


@dataclass(frozen=True)
class Machine:
    name: str
    count: int
    running: bool
    screws: tuple[Screw, ...]
    limits: dict[str, float]
    spare: Screw | None = None
    old: Optional[int] = None  # noqa: UP045 - both spellings are read
    anything: dict[str, Any] = field(default_factory=dict)


finite = st.floats(allow_nan=False, allow_infinity=False)
screws = st.builds(Screw, finite, st.text())
machines = st.builds(
    Machine, st.text(), st.integers(), st.booleans(), st.lists(screws).map(tuple), st.dictionaries(st.text(), finite),
    st.none() | screws, st.none() | st.integers(),
    st.dictionaries(st.text(), st.recursive(st.none() | st.text(), st.lists)),
)  # fmt: skip


@settings(max_examples=30)
@given(machines)
def test_what_was_written_is_read_back(machine: Machine) -> None:
    assert from_json(Machine, to_json(machine), "here") == machine


def test_json_is_for_people_too() -> None:
    assert to_json(Screw(1.5, "泵螺丝")) == '{\n  "length": 1.5,\n  "name": "泵螺丝"\n}\n'


def test_defaults_may_be_left_out_and_whole_numbers_are_floats() -> None:
    assert from_json(Screw, '{"length": 3}', "here") == Screw(3.0)


GOOD = '{"name": "press", "count": 1, "running": true, "screws": [], "limits": {}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "here:1: not JSON"),
        ("\n\n[1,]", "here:3: not JSON"),
        ("[" * 100_000, "here: JSON that cannot be read"),
        ("[]", "here: expected an object, found []"),
        (GOOD + ', "colour": 1, "age": 2}', "here: unknown field 'age'; expected name, count"),
        ('{"name": "press"}', "here: field 'count' is missing"),
        (GOOD.replace("1", "1.5") + "}", "here.count: expected a whole number, found 1.5"),
        (GOOD.replace("1", "true") + "}", "here.count: expected a whole number, found true"),
        (GOOD.replace("true", "1") + "}", "here.running: expected true or false, found 1"),
        (GOOD.replace("[]", "{}") + "}", "here.screws: expected a list, found {}"),
        (GOOD.replace("[]", '[{"length": 1}, {"length": "2"}]') + "}", "here.screws[1].length: expected a number"),
        (GOOD.replace("{}", '{"load": null}') + "}", "here.limits.load: expected a number, found null"),
        (GOOD + ', "spare": {"size": 1}}', "here.spare: unknown field 'size'"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_reported_with_the_field(text: str, expected: str) -> None:
    with pytest.raises(SchemaError) as raised:
        from_json(Machine, text, "here")
    assert raised.value.message.startswith(expected)


def test_unknown_fields_are_ignored_at_any_depth_where_that_is_asked() -> None:
    text = GOOD.replace("[]", '[{"length": 1, "thread": "M4"}]') + ', "colour": 1, "spare": {"length": 2, "size": {}}}'
    machine = from_json(Machine, text, "here", ignore_unknown=True)
    assert (machine.screws, machine.spare) == ((Screw(1.0),), Screw(2.0))
    with pytest.raises(SchemaError, match=r"here\.screws\[0\]\.length: expected a number"):
        from_json(Machine, text.replace('"length": 1', '"length": "1"'), "here", ignore_unknown=True)


@pytest.mark.parametrize("path", ["name", "screws", "screws.length", "spare.name", "limits", "anything", "old"])
def test_a_field_is_found_by_its_path(path: str) -> None:
    assert has_field(Machine, path)


@pytest.mark.parametrize("path", ["", "colour", "name.x", "screws.size", "spare.", ".name", "limits.load", "old.x"])
def test_a_field_that_is_not_there_is_not_found(path: str) -> None:
    assert not has_field(Machine, path)


def test_a_field_is_found_by_its_key() -> None:
    assert has_field(Motor, "screws.length") and has_field(Motor, "pace")
    assert not has_field(Motor, "parts")


@dataclass(frozen=True)
class Motor:
    seconds: float = field(metadata={"key": "pace"})
    parts: tuple[Screw, ...] = field(default=(), metadata={"key": "screws"})


def test_a_renamed_attribute_keeps_its_key() -> None:
    text = '{"pace": 2.0, "screws": [{"length": 1.0, "name": "pin"}]}'
    motor = Motor(2.0, (Screw(1.0, "pin"),))
    assert json.loads(to_json(motor)) == json.loads(text)
    assert from_json(Motor, text, "here") == motor
    assert from_json(Motor, '{"pace": 2}', "here") == Motor(2.0)


def test_a_renamed_attribute_keeps_its_key_inside_lists_and_dicts() -> None:
    @dataclass(frozen=True)
    class Plant:
        motors: dict[str, Any]

    assert to_dict(Plant({"a": [Motor(1.0)]})) == {"motors": {"a": [{"pace": 1.0, "screws": ()}]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"seconds": 2}', "here: unknown field 'seconds'; expected pace, screws"),
        ("{}", "here: field 'pace' is missing"),
        ('{"pace": "2"}', 'here.pace: expected a number, found "2"'),
    ],
)
def test_errors_name_the_key_of_a_renamed_attribute(text: str, expected: str) -> None:
    with pytest.raises(SchemaError) as raised:
        from_json(Motor, text, "here")
    assert raised.value.message.startswith(expected)


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "screw.json"
    file.write_text('{"length": 2}')
    assert load_json(Screw, file) == Screw(2.0)
    file.write_bytes(b'{"name": "\xff"}')
    with pytest.raises(SchemaError, match=r"screw\.json: not UTF-8 at byte 10"):
        load_json(Screw, file)
