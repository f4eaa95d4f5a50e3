"""Training on a GPU of this machine, skipped where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgener.data.types import Dataset
from edgener.report.scores import evaluate
from edgener.train import run as run_module
from edgener.train.config import TrainConfig
from edgener.train.run import train
from edgener.train.trainer import pick_device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason=f"PyTorch {torch.__version__} sees no GPU"),
]
Quick = Callable[..., TrainConfig]
Few = dict[str, Dataset]


def test_left_to_itself_training_takes_the_gpu() -> None:
    assert pick_device(TrainConfig()) == "cuda"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_it_learns_in_every_arithmetic_and_the_cpu_finds_what_the_gpu_found(
    precision: str, quick: Quick, few: Few, tmp_path: Path
) -> None:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    result = train(few, quick(epochs=8, device="cuda", precision=precision), tmp_path / "out")
    assert torch.cuda.max_memory_allocated() > before  # it ran there
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert result.after.micro.f1 > 0.3 + result.before.micro.f1
    on_cpu = evaluate(tmp_path / "out", few["test"]).entities.micro.f1
    assert on_cpu == pytest.approx(result.after.micro.f1, abs=0.01)


def test_a_run_that_was_killed_goes_on(quick: Quick, few: Few, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = quick(epochs=3, device="cuda", precision="bf16")

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_module, "_write", killed)
        train(few, config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    result = train(few, config, tmp_path / "out", resume=True)
    losses = [epoch["valid_loss"] for epoch in result.epochs]
    assert len(losses) == 3 and losses[-1] < losses[0]
