"""How near variants are to PyTorch, by the measures of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgener.checkpoint import open_checkpoint
from edgener.data.types import Dataset
from edgener.parity.bootstrap import Estimate
from edgener.parity.compare import compare, run_reference
from edgener.parity.reference import PyTorchModel
from edgener_runtime import TokenClassifier


def faithfulness(
    checkpoint: Path, bundle: Path, dataset: Dataset, variants: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By variant: churn, difference of F1 and batch effect with their paired 95 % intervals.

    Raises ParityError where the bundle is not one of the checkpoint.
    """
    with PyTorchModel.open(open_checkpoint(checkpoint)) as model:
        reference = run_reference(model, dataset)
    found = {}
    for name in variants:
        with TokenClassifier.load(bundle, "cpu", name) as classifier:
            report = compare(reference, name, classifier)
        figures = report.estimates.overall
        found[name] = {
            "entities": figures.entities,
            "unit": report.estimates.unit,
            "units": report.estimates.units,
            "f1": figures.f1,
            "f1_pytorch": figures.f1_pytorch,
            "f1_difference": _ends(figures.f1_difference),
            "churn": _ends(figures.churn),
            "batch_effect": _ends(report.estimates.batch_effect),
        }
    return found


def _ends(estimate: Estimate | None) -> dict[str, float] | None:
    return asdict(estimate) if estimate else None
