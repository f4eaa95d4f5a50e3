"""Who is measured: the peers as data, and our own variants as the bundle's manifest lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.inference.tuning import tuning_file
from edgener_runtime.machine.devices import CPU

BATCHES = (8, 16, 32, 64)  # texts of one run that are tried for each peer beforehand
_OURS = 3  # fastest variants of the bundle
_ALWAYS = ("int8-native", "int8-rowwise", "fp32")  # ours that answer alike in any batch, where the bundle has them

_PIPELINE = "preprocess of the pipeline overridden: case classes as token_type_ids"
_LOOP = "token_type_ids filled with the case classes beside input_ids"
_RUNTIME = "by itself: the manifest says that the model has the case channel"


@dataclass(frozen=True)
class Peer:
    """One row: the environment and worker script that run it, the form of the model, how case classes get in.

    `streams`: instead of one run on all threads, as many runs at once as there are threads, for throughput. `batches`
    are the texts of one run to try; a peer that batches by itself has one that it does not look at. `our_graph`: what
    it runs is a variant of our bundle, so it shows what the runtime adds, and is nobody's product beside ours. `made`:
    whose script in prepare/ makes its model beforehand, if any.
    """

    name: str
    environment: str
    script: str
    form: str
    case_classes: str
    streams: bool = False
    batches: tuple[int, ...] = BATCHES
    ours: bool = False
    our_graph: bool = False
    made: str = ""


PEERS = (
    Peer("transformers pipeline, PyTorch FP32", "transformers", "transformers_pipeline", "fp32", _PIPELINE),
    Peer("transformers pipeline, PyTorch bf16", "transformers", "transformers_pipeline", "bf16", _PIPELINE),
    Peer("plain loop, PyTorch bf16", "transformers", "pytorch_loop", "bf16", _LOOP),
    Peer("optimum-onnx pipeline, FP32", "optimum", "optimum_pipeline", "fp32", _PIPELINE, made="optimum"),
    Peer("optimum-onnx pipeline, its INT8", "optimum", "optimum_pipeline", "int8", _PIPELINE, made="optimum"),
    Peer("OpenVINO FP32", "openvino", "openvino_loop", "fp32", _LOOP, made="openvino"),
    Peer(
        "OpenVINO default (bf16 where the CPU has it)", "openvino", "openvino_loop", "default", _LOOP, made="openvino"
    ),
    Peer("OpenVINO INT8 (NNCF)", "openvino", "openvino_loop", "int8", _LOOP, made="openvino"),
    Peer("OpenVINO 8-bit weights, groups of 384", "openvino", "openvino_loop", "weights-384", _LOOP, made="openvino"),
    Peer("OpenVINO 8-bit weights, groups of 32", "openvino", "openvino_loop", "weights-32", _LOOP, made="openvino"),
    Peer("OpenVINO default, streams", "openvino", "openvino_loop", "default", _LOOP, streams=True, made="openvino"),
    Peer("OpenVINO INT8 (NNCF), streams", "openvino", "openvino_loop", "int8", _LOOP, streams=True, made="openvino"),
    Peer("CTranslate2 float32", "ctranslate2", "ctranslate2_loop", "float32", _LOOP, made="ctranslate2"),
    Peer("CTranslate2 int8", "ctranslate2", "ctranslate2_loop", "int8", _LOOP, made="ctranslate2"),
    Peer(
        "CTranslate2 int8, streams", "ctranslate2", "ctranslate2_loop", "int8", _LOOP, streams=True, made="ctranslate2"
    ),
    Peer("LiteRT, dynamic-range INT8", "litert", "litert_loop", "int8", _LOOP, batches=(1, 8), made="litert"),
    Peer("ExecuTorch, XNNPACK, INT8 per subword", "executorch", "executorch_loop", "int8", _LOOP, made="executorch"),
    Peer("torchao, INT8 per subword, torch.compile", "torchao", "torchao_loop", "int8", _LOOP),
    Peer(
        "transformers.js, optimum's INT8",
        "transformersjs",
        "transformersjs_loop",
        "optimum-int8",
        _LOOP,
        made="optimum",
    ),
    Peer("plain onnxruntime, our FP32", "onnxruntime", "onnxruntime_loop", "fp32", _LOOP, our_graph=True),
    Peer(
        "plain onnxruntime, our int8-dynamic", "onnxruntime", "onnxruntime_loop", "int8-dynamic", _LOOP, our_graph=True
    ),
    Peer("plain onnxruntime, optimum's INT8", "onnxruntime", "onnxruntime_loop", "optimum-int8", _LOOP, made="optimum"),
)

# What churn is counted against; not a row: its answers are those of the first row.
REFERENCE = Peer("plain loop, PyTorch FP32", "transformers", "pytorch_loop", "fp32", _LOOP)


def our_rows(manifest: Manifest, bundle: Path) -> list[Peer]:
    """The first variants that the bundle has for CPUs, some of the others, and the first as tuned where it is."""
    names = [entry.name for entry in manifest.variants if CPU in entry.requirements.providers]
    forms = list(dict.fromkeys([*names[:_OURS], *(name for name in _ALWAYS if name in names)]))
    if tuning_file(bundle).is_file():
        forms.insert(1, f"{names[0]}+tuning")
    return [_ours(form) for form in forms]


def _ours(form: str) -> Peer:
    name = f"edgener-runtime {form}"
    return Peer(name, "edgener", "edgener_runtime_api", form, _RUNTIME, batches=(0,), ours=True)
