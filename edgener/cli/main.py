"""`edgener`: the commands of the build side."""

from __future__ import annotations

import click

import edgener
from edgener_runtime.cli.commands import LazyCommands, LazyGroup

COMMANDS = LazyCommands(
    "edgener.cli",
    ("data", "data.inspect", "Inspect labelled text, and prepare text for labelling."),
    ("train", "train.train", "Fine-tune an encoder for token classification."),
    ("sweep", "train.sweep", "Search hyper-parameters for training."),
    ("update", "train.update", "Continue a checkpoint with new data, without losing what it knows."),
    ("compress", "train.compress", "Compress a checkpoint to a target of time or size."),
    ("evaluate", "train.evaluate", "Score a checkpoint or a bundle on labelled text."),
    ("search", "release.search", "Find the fastest mix of precisions within the budgets."),
    ("export", "release.export", "Export, quantise and verify a checkpoint as a bundle."),
    ("publish", "release.publish", "Publish a bundle in a repository of signed updates."),
    ("bench", "bench.bench", "Measure BUNDLE's variants here, or on many devices."),
    ("build-engine", "release.build_engine", "Build a TensorRT engine of a bundle's variant."),
    ("keygen", "trust.keygen", "Make a pair of keys to sign bundles with (ECDSA on P-256)."),
    ("sign", "trust.sign", "Sign BUNDLE, after a check of all its files."),
    ("verify", "trust.verify", "Check the files and the signatures of BUNDLE."),
    ("thresholds", "release.thresholds", "Choose the lowest score per label that gives a precision."),
    ("rebuild", "release.rebuild", "Export BUNDLE again as it was exported, and compare the two."),
    ("variants", "release.variants", "List the variants that a model can be exported as."),
    ("compare", "bench.compare", "Compare benchmark results with a first one."),
    ("report", "bench.report", "Merge results of selftests and benchmarks of many machines."),
    ("doctor", "doctor", "Show this machine and the packages of the build side."),
)
"""Each command with its module, and the first sentence of its help."""


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(edgener.__version__, prog_name="edgener")
def main() -> None:
    """Fine-tune BERT for named entities, export and quantise it, and verify it against PyTorch.

    \b
    Example:
      edgener train --data builtin:factory --model package:cognition/model --out out/checkpoint
      edgener export out/checkpoint --out out/bundle --variant fp32,int8-dynamic --data builtin:factory
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
    """
