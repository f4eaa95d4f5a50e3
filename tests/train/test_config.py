"""Settings from a YAML file and from options."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.train.config import TrainConfig, load_config
from edgener_runtime.errors import UserInputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.yaml"


def test_without_a_file_or_options_the_defaults_stand() -> None:
    assert load_config(None, {}) == TrainConfig()


def test_options_stand_above_the_file_and_the_file_above_the_defaults(file: Path) -> None:
    file.write_text("epochs: 7\nbatch_size: 8\ncase_channel: true\n")
    config = load_config(file, {"epochs": 2, "case_channel": False})
    assert (config.epochs, config.batch_size, config.case_channel) == (2, 8, False)
    assert config.warmup == TrainConfig().warmup


@pytest.mark.parametrize("text", ["2e-4", "2.0e-4", "0.0002", "'2e-4'"])
def test_a_learning_rate_is_a_number_however_it_is_written(file: Path, text: str) -> None:
    file.write_text(f"learning_rate: {text}\n")
    assert load_config(file, {}).learning_rate == 2e-4


def test_a_whole_number_will_do_where_a_fraction_is_expected(file: Path) -> None:
    file.write_text("max_grad_norm: 2\nwarmup: 0\n")
    config = load_config(file, {})
    assert (config.max_grad_norm, config.warmup) == (2.0, 0.0)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_changes_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_config(file, {}) == TrainConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "1: found the key 'epoch', expected 'epochs'?"),
        ("seed: 1\nlearning-rate: 3", "2: found the key 'learning-rate', expected 'learning_rate'?"),
        ("colour: red", "1: found the key 'colour', expected one of model, epochs, "),
        ("7: 3", "1: found the key '7', expected one of model, epochs, "),
        ("epochs: 3\nepochs: 4", "2: found 'epochs' a second time, expected each key once"),
        ("schedule: linera", "1: schedule: found 'linera', expected one of linear, cosine"),
        ("epochs: three", "1: epochs: found 'three', expected a whole number, more than 0"),
        ("epochs: 3.5", "1: epochs: found 3.5, expected a whole number, more than 0"),
        ("epochs: true", "1: epochs: found True, expected a whole number, more than 0"),
        ("epochs: 2026-01-01", "1: epochs: found '2026-01-01', expected a whole number, more than 0"),
        ("epochs:", "1: epochs: found '', expected a whole number, more than 0"),
        ("seed: 1\nepochs: 0", "2: epochs: found 0, expected a whole number, more than 0"),
        ("learning_rate: fast", "1: learning_rate: found 'fast', expected a number, more than 0"),
        ("learning_rate: .nan", "1: learning_rate: found nan, expected a number, more than 0"),
        ("learning_rate: [1]", "1: learning_rate: found a list, expected a number, more than 0"),
        ("case_channel: 1", "1: case_channel: found 1, expected true or false"),
        ("- epochs", "1: found a list, expected keys and values, such as epochs: 3"),
    ],
)
def test_an_error_has_the_line_what_was_found_and_what_was_expected(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(UserInputError) as caught:
        load_config(file, {})
    assert caught.value.message.startswith(f"{file}:{message}")
    assert caught.value.hint == "See: edgener train --help"


def test_a_file_that_is_not_yaml_is_refused_with_its_line(file: Path) -> None:
    file.write_text("epochs: [")
    with pytest.raises(UserInputError, match=r"run\.yaml:1: not YAML: ") as caught:
        load_config(file, {})
    assert caught.value.hint == "Fix this line."


@pytest.mark.parametrize("text", ["learning_rate:", "learning_rate: null", "learning_rate: ~"])
def test_an_optional_setting_may_be_null(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_config(file, {}) == TrainConfig()


def test_a_folder_may_have_the_name_of_a_day(file: Path) -> None:
    file.write_text("tensorboard: 2026-01-01")
    assert load_config(file, {}).tensorboard == "2026-01-01"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *((name, value, "more than 0") for name in ("epochs", "batch_size", "accumulation", "patience")
          for value in (0, -1)),
        *((name, value, "more than 0") for name in ("learning_rate", "max_grad_norm")
          for value in (0.0, -1e-4, float("nan"), float("inf"))),
        ("weight_decay", -0.1, "0 or more"), ("weight_decay", float("nan"), "0 or more"),
        ("freeze_layers", -1, "0 or more"), ("lora_rank", -8, "0 or more"),
        ("warmup", 1.0, "0 to below 1"), ("warmup", -0.1, "0 to below 1"),
        ("dropout", 1.0, "0 to below 1"), ("dropout", float("nan"), "0 to below 1"),
        ("seed", -1, "0 to below 2**32"), ("seed", 2**32, "0 to below 2**32"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(name: str, value: float, expected: str) -> None:
    with pytest.raises(UserInputError, match="options") as caught:
        load_config(None, {name: value})
    assert caught.value.message.startswith(f"options: {name}: found {value!r}, expected a ")
    assert caught.value.message.endswith(f"number, {expected}")
    assert caught.value.hint == f"Correct --{name.replace('_', '-')}."


def test_an_option_out_of_range_is_not_blamed_on_the_file(file: Path) -> None:
    file.write_text("epochs: 3\n")
    with pytest.raises(UserInputError) as caught:
        load_config(file, {"batch_size": 0})
    assert str(file) not in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out/a", ("out/a",)),
        ("[out/a, out/b]", ("out/a", "out/b")),
        ("\n- out/a\n- out/b", ("out/a", "out/b")),
        ("[]", ()),
    ],
)
def test_a_setting_may_be_a_list(file: Path, text: str, expected: tuple[str, ...]) -> None:
    file.write_text(f"teacher: {text}\n")
    assert load_config(file, {}).teacher == expected


@pytest.mark.parametrize("text", ["teacher: [3]", "teacher: [[out/a]]", "teacher: {a: b}", "teacher:"])
def test_a_list_of_something_else_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UserInputError, match=r"run\.yaml:1: teacher: found .*, expected a text, or a list of such"):
        load_config(file, {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unlabelled": "texts.txt"}, "unlabelled needs a teacher"),
        ({"hidden_share": 0.5}, "hidden_share needs a teacher"),
        (
            {"hidden_share": 0.5, "teacher": ("a", "b")},
            "hidden_share takes the hidden states of one teacher; 2 are given",
        ),
        ({"soft_share": 1.1}, "soft_share: found 1.1, expected a number, 0 to 1"),
        ({"temperature": 0.0}, "temperature: found 0.0, expected a number, more than 0"),
        ({"hidden_share": float("nan")}, "hidden_share: found nan, expected a number, 0 or more"),
    ],
)
def test_settings_of_distillation_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserInputError) as caught:
        load_config(None, settings)
    assert message in caught.value.message and caught.value.hint


def test_adapters_and_a_frozen_encoder_contradict_each_other() -> None:
    with pytest.raises(UserInputError, match="lora_rank adapts the encoder"):
        load_config(None, {"lora_rank": 4, "freeze": "encoder"})


@pytest.mark.parametrize(("name", "content"), [("nowhere.yaml", None), ("latin.yaml", b"model: caf\xe9"), (".", None)])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserInputError) as caught:
        load_config(tmp_path / name, {})
    assert str(tmp_path / name) in caught.value.message


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 100),
            "learning_rate": st.none() | st.floats(1e-9, 1),
            "warmup": st.floats(0, 1, exclude_max=True),
            "freeze": st.sampled_from(["nothing", "embeddings", "encoder"]),
            "model": st.text("abcß中/:_-", min_size=1),
            "case_channel": st.booleans(),
        },
    )
)
def test_any_settings_come_back_from_yaml_as_they_were(settings: dict[str, Any]) -> None:
    import tempfile

    import yaml

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.yaml"
        file.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        assert load_config(file, {}) == dataclasses.replace(TrainConfig(), **settings)


def test_an_option_completes_what_a_file_has(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("hidden_share: 0.5\nlora_rank: 4\nfreeze: encoder\n")
    config = load_config(file, {"teacher": ("checkpoint",), "lora_rank": 0})
    assert config.hidden_share == 0.5 and config.teacher == ("checkpoint",)
    with pytest.raises(UserInputError, match=rf"{file}: hidden_share needs a teacher"):
        load_config(file, {"lora_rank": 0})


def test_a_temperature_whose_square_is_no_number_is_refused() -> None:
    with pytest.raises(UserInputError, match="temperature: found 1e"):
        load_config(None, {"temperature": 1e200})
