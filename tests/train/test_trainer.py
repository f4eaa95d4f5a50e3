"""Where and in which arithmetic training runs, and in which order it validates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgener.data.types import Dataset, iob2_labels
from edgener.encoding import TextEncoder, load_tokenizer
from edgener.train import trainer
from edgener.train.config import TrainConfig
from edgener.train.features import build_features
from edgener.train.model import load_model
from edgener.train.trainer import build_trainer, pick_device
from edgener_runtime.errors import DeviceError

pytestmark = pytest.mark.compat


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def cpu_flags(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The flags that the CPU seems to have."""
    flags: set[str] = {"avx2"}
    monkeypatch.setattr(trainer, "_cpu_flags", lambda: flags)
    return flags


def test_cuda_asked_for_and_absent_is_an_error_with_the_next_step(no_cuda: None) -> None:
    with pytest.raises(DeviceError, match="sees no CUDA device") as caught:
        pick_device(TrainConfig(device="cuda"))
    assert caught.value.exit_code == 6
    assert caught.value.hint and "nvidia-smi" in caught.value.hint


def test_left_to_itself_training_takes_the_cpu_where_there_is_no_cuda(no_cuda: None) -> None:
    assert pick_device(TrainConfig()) == pick_device(TrainConfig(device="cpu")) == "cpu"


@pytest.mark.parametrize(
    ("flag", "expected"), [("avx512f", "fp32"), ("avx512_bf16", "bf16"), ("amx_bf16", "bf16")]
)  # fmt: skip
def test_a_cpu_computes_in_bf16_where_it_has_it(cpu_flags: set[str], flag: str, expected: str) -> None:
    cpu_flags.add(flag)
    assert trainer._precision(TrainConfig(), "cpu") == expected


def test_an_arithmetic_that_is_not_there_is_refused(cpu_flags: set[str]) -> None:
    assert trainer._precision(TrainConfig(precision="bf16"), "cpu") == "bf16"  # slow, but it works
    with pytest.raises(DeviceError, match="fp16 is not supported on this cpu device") as caught:
        trainer._precision(TrainConfig(precision="fp16"), "cpu")
    assert caught.value.hint == "Choose among: auto, fp32, bf16"


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_computes_in_half_precision(monkeypatch: pytest.MonkeyPatch, has_bf16: bool, expected: str) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bf16)
    assert trainer._precision(TrainConfig(), "cuda") == expected
    if not has_bf16:
        with pytest.raises(DeviceError, match="bf16 is not supported on this cuda device"):
            trainer._precision(TrainConfig(precision="bf16"), "cuda")


def test_validation_sees_the_windows_in_the_order_that_puts_sentences_together_again(
    tiny: Path, few: dict[str, Dataset], quick: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    labels = iob2_labels(few["train"].labels)
    encoder = TextEncoder(load_tokenizer(str(tiny)), 66, 16, case_channel=True, token_types=True)
    features = build_features(encoder, few["valid"].sentences, labels).by_length()
    assert len(features.rows) > len(few["valid"].sentences)
    model = load_model(str(tiny), labels, quick())
    built = build_trainer(model, encoder.tokenizer, quick(), 0.01, tmp_path, features, features, labels)
    seen = [row[mask == 1].tolist() for batch in built.get_eval_dataloader()
            for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]  # fmt: skip
    assert seen == [row["input_ids"] for row in features.rows]
