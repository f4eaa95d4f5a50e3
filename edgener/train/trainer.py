"""transformers' Trainer for token classification, the same on transformers 4.57 and 5."""

from __future__ import annotations

import inspect
import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edgener_runtime.base.install import BUILD_SIDE, install_line
from edgener_runtime.errors import DeviceError, UserInputError

from .config import TrainConfig
from .distil import Distillation
from .features import IGNORED, Features
from .layer_rates import rate_factors, set_rates

_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


def build_trainer(
    model: Any, tokenizer: Any, config: TrainConfig, rate: float, work: Path, train: Features, valid: Features | None,
    labels: Sequence[str], keep: bool = True, distillation: Distillation | None = None,
) -> Any:  # fmt: skip
    """A Trainer that keeps the epoch with the best validation entity F1, in checkpoints under `work`.

    Without `keep` it writes no checkpoint and ends with the weights of the last epoch. With a `distillation`, whose
    rows `train` are, the loss in training is that one; the loss of validation is against labels as ever.
    """
    from torch.utils.data import SequentialSampler
    from transformers import DataCollatorForTokenClassification, EarlyStoppingCallback, PrinterCallback, Trainer

    factors = rate_factors(model, config)

    class OrderedTrainer(Trainer):  # type: ignore[misc]
        """Validates in the order of the data, which the metrics need to join the windows of a sentence."""

        def create_optimizer(self, *arguments: Any) -> Any:
            optimizer = super().create_optimizer(*arguments)
            if factors:
                set_rates(optimizer, rate, factors)
            return optimizer

        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            return SequentialSampler(eval_dataset)

        def compute_loss(self, model: Any, inputs: Any, *others: Any, **options: Any) -> Any:
            if distillation and "soft" in inputs:
                return distillation.loss(model, inputs)
            return super().compute_loss(model, inputs, *others, **options)

        def _save(self, *arguments: Any, **options: Any) -> None:
            with _own_names(self.model):
                super()._save(*arguments, **options)

    _choose_attention()
    arguments = _arguments(config, rate, work, bool(valid), keep)
    arguments.remove_unused_columns = distillation is None  # the numbers of words are used, though not by the model
    callbacks = [EarlyStoppingCallback(config.patience)] if valid else []
    pad = DataCollatorForTokenClassification(tokenizer)
    if config.tensorboard and arguments.process_index == 0:
        callbacks.append(_tensorboard(config.tensorboard))
    trainer = OrderedTrainer(
        model=model,
        args=arguments,
        train_dataset=train.rows,
        eval_dataset=valid.rows if valid else None,
        data_collator=partial(distillation.collate, pad=pad) if distillation else pad,
        compute_metrics=_entity_metrics(valid, labels) if valid else None,
        preprocess_logits_for_metrics=lambda logits, _: logits.argmax(-1),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    if distillation:
        trainer.model_accepts_loss_kwargs = False  # the loss is a mean over the words of a step
        distillation.fit_projections(trainer.model, pad)
    return trainer


@contextmanager
def _own_names(model: Any) -> Iterator[None]:
    """Save weights under the model's own names, such as LayerNorm.weight, and not those of an old encoder's files.

    transformers 5 saves under the names in the files (LayerNorm.gamma). The Trainer does not find those when it loads
    the best epoch, or that of an unfinished run, and leaves the weights as they are.
    """
    before = getattr(model, "_weight_conversions", None)
    model._weight_conversions = []
    try:
        yield
    finally:
        model._weight_conversions = before


def end_early(trainer: Any, checkpoint: str | None) -> None:
    """Have a run that had ended at `checkpoint` train no further epoch: transformers forgets that it stopped early."""
    if checkpoint is None:
        return
    state = json.loads((Path(checkpoint) / "trainer_state.json").read_text(encoding="utf-8"))
    if state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]:
        trainer.args.num_train_epochs = math.ceil(state["epoch"])


def _choose_attention() -> None:
    """Disable cuDNN's attention: it plans each new batch shape, and batches by length have many."""
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


def pick_device(config: TrainConfig) -> str:
    """`cuda` or `cpu`. Raises DeviceError where CUDA was requested and is missing."""
    import torch

    if config.device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"--device cuda: PyTorch {torch.__version__} sees no CUDA device",
            "Check `nvidia-smi`, install a CUDA build of torch (make TORCH=torch==2.13.0), or use --device cpu.",
        )
    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return config.device


def _tensorboard(folder: str) -> Any:
    """The callback that writes the log. Raises UserInputError where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        hint = install_line("tensorboard", BUILD_SIDE)
        raise UserInputError("--tensorboard: TensorBoard is not installed", hint) from None
    from transformers.integrations import TensorBoardCallback

    return TensorBoardCallback(SummaryWriter(folder))


def _arguments(config: TrainConfig, rate: float, work: Path, validated: bool, keep: bool) -> Any:
    from transformers import TrainingArguments

    device = pick_device(config)
    precision = _precision(config, device)
    known = inspect.signature(TrainingArguments).parameters
    renamed = (
        {"warmup_ratio": config.warmup, "group_by_length": True}
        if "warmup_ratio" in known and "train_sampling_strategy" not in known
        else {"warmup_steps": config.warmup, "train_sampling_strategy": "group_by_length"}
    )
    # transformers 4.57 leaves the last run's precision there and uses it instead of FP32
    os.environ["ACCELERATE_MIXED_PRECISION"] = "no"
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=config.epochs,
        learning_rate=rate,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=config.accumulation,
        weight_decay=config.weight_decay,
        lr_scheduler_type=config.schedule,
        max_grad_norm=config.max_grad_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device == "cpu",
        seed=config.seed,
        eval_strategy="epoch" if validated else "no",
        save_strategy="epoch" if keep else "no",
        logging_strategy="epoch",
        save_total_limit=max(2, config.average_epochs + 1),  # the best beside the last ones
        load_best_model_at_end=validated and keep,
        restore_callback_states_from_checkpoint=True,  # the count of early stopping
        metric_for_best_model="f1" if validated else None,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
        ddp_backend="gloo" if device == "cpu" and "WORLD_SIZE" in os.environ else None,
        **renamed,
    )


def _precision(config: TrainConfig, device: str) -> str:
    """The requested precision, or the fastest safe one for `auto`. Raises DeviceError where it is not supported."""
    import torch

    on_gpu = device == "cuda"
    has = {"fp32": True, "fp16": on_gpu, "bf16": torch.cuda.is_bf16_supported() if on_gpu else True}
    if config.precision == "auto":
        fast = has["bf16"] if on_gpu else bool(_BF16_FLAGS & _cpu_flags())
        return "bf16" if fast else "fp16" if on_gpu else "fp32"
    if not has[config.precision]:
        raise DeviceError(
            f"--precision {config.precision} is not supported on this {device} device",
            f"Choose among: auto, {', '.join(name for name in has if has[name])}",
        )
    return config.precision


def _cpu_flags() -> set[str]:
    """The CPU flags of /proc/cpuinfo; empty where there is no such file."""
    file = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not file.is_file():
        return set()
    return next((set(line.split()) for line in file.read_text().splitlines() if line.startswith("flags")), set())


def sentence_tags(features: Features, predicted: Any, targets: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Gold and predicted tags of each sentence, joined from its windows; arrays are (windows, length)."""
    count = 1 + max(features.sentences, default=-1)
    gold: list[list[str]] = [[] for _ in range(count)]
    guess: list[list[str]] = [[] for _ in range(count)]
    for number, row, target in zip(features.sentences, predicted, targets, strict=True):
        labelled = target != IGNORED
        gold[number].extend(labels[index] for index in target[labelled])
        guess[number].extend(labels[index] for index in row[labelled])
    return gold, guess


def _entity_metrics(features: Features, labels: Sequence[str]) -> Callable[[Any], dict[str, float]]:
    from edgener.parity.measures.metrics import entity_scores

    def compute(evaluated: Any) -> dict[str, float]:
        scores = entity_scores(*sentence_tags(features, evaluated.predictions, evaluated.label_ids, labels))
        return {"f1": scores.micro.f1, "precision": scores.micro.precision, "recall": scores.micro.recall}

    return compute
