"""A graph as TensorRT's network: strongly typed, so that every version takes the precision from the graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgener_runtime.backends.tensorrt.backend import make
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import DlaReport, Tensor
from edgener_runtime.errors import ExportError, UserInputError


def parse_graph(trt: Any, builder: Any, logger: Any, onnx: Path) -> tuple[Any, Any]:
    """The network of an ONNX file, and the parser, which must outlive it. Raises ExportError if TensorRT refuses it."""
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)  # the default in 11, explicit in 10
    network = builder.create_network(typed)
    parser = make(trt.OnnxParser, network, logger)
    if not parser.parse_from_file(str(onnx)):
        raise _refusal(parser, onnx)
    return network, parser


def _refusal(parser: Any, onnx: Path) -> ExportError:
    if not parser.num_errors:
        return ExportError(f"TensorRT cannot read {onnx}", "Copy the bundle again.")
    error = parser.get_error(0)
    more = f" (and {parser.num_errors - 1} more)" if parser.num_errors > 1 else ""
    where = error.node_name() or f"node {error.node()}"
    return ExportError(
        f"TensorRT refuses {where} ({error.node_operator()}) of {onnx.name}: {error.desc()}{more}",
        "Use a variant that is made for it: fp32, fp16 or int8-qdq.",
    )


def tensors_of(network: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The network's inputs and outputs."""
    inputs = tuple(_tensor(network.get_input(index)) for index in range(network.num_inputs))
    return inputs, tuple(_tensor(network.get_output(index)) for index in range(network.num_outputs))


def _tensor(tensor: Any) -> Tensor:
    return Tensor(tensor.name, tensor.dtype.name, tuple(tensor.shape))


def add_profiles(builder: Any, config: Any, profiles: Sequence[Profile], inputs: Sequence[Tensor]) -> None:
    """Give every input the shapes of each profile. Raises UserInputError if the axes of an input are different."""
    for tensor in inputs:
        if tensor.shape != (-1, -1):
            raise UserInputError(
                f"the input {tensor.name} has shape {tensor.shape}; a profile is for (rows, subwords) of any size",
                "Export the bundle again.",
            )
    for number, shapes in enumerate(profiles):
        profile = builder.create_optimization_profile()
        for tensor in inputs:
            profile.set_shape(tensor.name, shapes.minimum, shapes.optimum, shapes.maximum)
        if config.add_optimization_profile(profile) != number:
            raise UserInputError(f"TensorRT does not accept the profile {shapes}", "Choose other shapes.")


def ask_dla(network: Any, config: Any, core: int) -> DlaReport:
    """The layers that a DLA can run, determined before the build: a fallback moves others to the GPU silently."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    on_gpu = tuple(layer.name for layer in layers if not config.can_run_on_DLA(layer))
    return DlaReport(core, len(layers), len(layers) - len(on_gpu), on_gpu)
