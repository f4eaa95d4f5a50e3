"""What the operators compute, in numpy: their definition, which the tests compare every instruction set with."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROTATED = 8
PANEL, GROUP = 16, 4
"""Weights lie in panels of 16 output channels, and within a panel in groups of 4 inputs."""

_erf = np.vectorize(math.erf, otypes=[np.float64])
Floats = NDArray[np.float32]


class Product(NamedTuple):
    """The three inputs of an operator that stand for one product."""

    weight: NDArray[np.int8]  # [panels, groups, 16, 4]
    scale: Floats  # [panels * 16]
    bias: Floats  # [panels * 16]


class Layer(NamedTuple):
    """The inputs of `EncoderLayer` after `x` and `offsets`, in their order."""

    qkv: Product  # query, key and value, each padded to whole panels, one after the other
    output: Product
    attention_gamma: Floats
    attention_beta: Floats
    intermediate: Product
    feed_forward: Product
    feed_forward_gamma: Floats
    feed_forward_beta: Floats

    def inputs(self) -> list[NDArray[np.generic]]:
        """The sixteen arrays, flat."""
        return [array for part in self for array in (part if isinstance(part, Product) else (part,))]


def pack(weight: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights [N, K] as [ceil(N / 16), ceil(K / 4), 16, 4], padded with zeros."""
    rows, columns = weight.shape
    panels, groups = -(-rows // PANEL), -(-columns // GROUP)
    padded = np.zeros((panels * PANEL, groups * GROUP), np.int8)
    padded[:rows, :columns] = weight
    return np.ascontiguousarray(padded.reshape(panels, PANEL, groups, GROUP).transpose(0, 2, 1, 3))


def unpack(packed: NDArray[np.int8]) -> NDArray[np.int8]:
    """Packed weights as [panels * 16, groups * 4]."""
    panels, groups = packed.shape[:2]
    return packed.transpose(0, 2, 1, 3).reshape(panels * PANEL, groups * GROUP)


def pad(values: Floats) -> Floats:
    """One number per output channel, padded with zeros to whole panels."""
    return np.pad(values, (0, -len(values) % PANEL)).astype(np.float32)


def make_product(weight: Floats, bias: Floats) -> Product:
    """Weights [N, K] in FP32, symmetric in INT8 per output channel: a scale of max |w| / 127."""
    scale = np.abs(weight).max(axis=1).astype(np.float32) / np.float32(127)
    scale[scale == 0] = 1
    return Product(pack(np.rint(weight / scale[:, None]).astype(np.int8)), pad(scale), pad(bias))


def join(*products: Product) -> Product:
    """Products with the same input, one after the other: query, key and value."""
    return Product(*(np.concatenate(parts) for parts in zip(*products, strict=True)))


def quantise_rows(x: Floats) -> tuple[NDArray[np.uint8], Floats, NDArray[np.int32]]:
    """Rows as U8 with a scale and a zero point each; their range always includes zero."""
    finite = np.isfinite(x).all(axis=1)
    used = np.where(finite[:, None], x, np.float32(0))
    low, high = np.minimum(used.min(axis=1), np.float32(0)), np.maximum(used.max(axis=1), np.float32(0))
    scale = high / np.float32(255) - low / np.float32(255)
    scale = np.where(scale >= np.float32(1e-30), scale, np.float32(1)).astype(np.float32)
    inverse = np.float32(1) / scale
    zero_point = np.clip(np.rint(-low.astype(np.float64) * inverse), 0, 255).astype(np.int32)
    moved = used.astype(np.float64) * inverse[:, None] + zero_point[:, None]  # rounded once, as a fused product is
    q = np.minimum(np.rint(moved), 255).astype(np.uint8)
    return q, np.where(finite, scale, np.float32(np.nan)), zero_point


def sums(q: NDArray[np.uint8], zero_point: NDArray[np.int32], weight: NDArray[np.int8]) -> NDArray[np.int32]:
    """The exact INT32 sums of a product, zero points taken off, [rows, panels * 16]."""
    wide = np.zeros((len(q), weight.shape[1] * GROUP), np.int32)
    wide[:, : q.shape[1]] = q.astype(np.int32) - zero_point[:, None]
    return wide @ unpack(weight).astype(np.int32).T


def rotate(x: Floats) -> Floats:
    """Blocks of 8 times 16 numbers by the Hadamard matrix over the 8, which is its own inverse; others stay."""
    if x.shape[1] % (ROTATED * 16):
        return x
    v = x.reshape(len(x), -1, ROTATED, 16)
    for half in (1, 2, 4):
        pairs = v.reshape(len(x), v.shape[1], ROTATED // half // 2, 2, half, 16)
        first, second = pairs[:, :, :, 0], pairs[:, :, :, 1]
        v = np.stack([first + second, first - second], axis=3).reshape(v.shape)
    return (v * np.float32(0.353553391)).reshape(x.shape)


def product(x: Floats, by: Product) -> Floats:
    """FP32 rows [rows, K] by INT8 weights: FP32 [rows, panels * 16]. NaN or Inf in a row makes that row NaN."""
    q, scale, zero_point = quantise_rows(x)
    exact = sums(q, zero_point, by.weight).astype(np.float32)
    scaled = exact.astype(np.float64) * (by.scale * scale[:, None]) + by.bias  # rounded once
    return scaled.astype(np.float32)


def gelu(x: Floats) -> Floats:
    """GELU by the error function."""
    return (x.astype(np.float64) * 0.5 * (1 + _erf(x.astype(np.float64) / math.sqrt(2)))).astype(np.float32)


ACTIVATIONS = {"gelu": gelu, "relu": lambda x: np.maximum(x, np.float32(0))}


def in_steps(x: Floats, steps: int) -> tuple[NDArray[np.int64], np.float32]:
    """All numbers of one head of a sequence as integers from -steps to steps, and the size of a step."""
    size = np.abs(x).max() / np.float32(steps)
    size = size if size >= np.float32(1e-30) else np.float32(1)
    return np.rint(x.astype(np.float64) * (np.float32(1) / size)).astype(np.int64), size


VALUE_STEPS = 1023
EXP2 = [1807.80981, 7949.63867, 22716.082, 32764.6426]
"""The polynomial for 32767 * 2^x of x from -1/2 to 1/2."""


def softmax_weights(x: Floats) -> Floats:
    """32767 * 2^x of x <= 0, with a relative error of 7.5e-5; next to nothing for everything below -30."""
    x = np.maximum(x, np.float32(-30))
    whole = np.rint(x)
    powers = np.polyval(EXP2, (x - whole).astype(np.float64)) * np.exp2(whole)
    return powers.astype(np.float32)


def attention(query: Floats, key: Floats, value: Floats, heads: int) -> Floats:
    """Scaled dot-product attention over one sequence, [length, hidden], without a mask.

    Both products are of integers with exact sums; the weights of the softmax have 15 bits.
    """
    size = query.shape[1] // heads
    steps = min(math.isqrt((2**31 - 1) // size), 32767)
    context = np.empty_like(query)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        if not all(np.isfinite(x[:, part]).all() for x in (query, key, value)):
            context[:, part] = np.nan
            continue
        (q, of_q), (k, of_k) = in_steps(query[:, part], steps), in_steps(key[:, part], steps)
        v, of_v = in_steps(value[:, part], VALUE_STEPS)
        sums = (q @ k.T).astype(np.float32)
        step = of_q * of_k * (np.float32(math.log2(math.e)) / np.float32(math.sqrt(size)))
        weights = softmax_weights((sums - sums.max(axis=1, keepdims=True)) * step)
        mean = (np.rint(weights).astype(np.int64) @ v).astype(np.float32)
        context[:, part] = mean * (of_v / weights.sum(axis=1, keepdims=True, dtype=np.float32))
    return context


def layer_norm(x: Floats, gamma: Floats, beta: Floats, epsilon: float) -> Floats:
    """LayerNorm over the last axis."""
    centred = x - x.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    variance = np.square(centred, dtype=np.float64).mean(axis=1, keepdims=True).astype(np.float32)
    return centred / np.sqrt(variance + np.float32(epsilon)) * gamma + beta


def encoder_layer(
    x: Floats, offsets: NDArray[np.int64], layer: Layer, heads: int, epsilon: float = 1e-12, activation: str = "gelu",
    rotated: bool = False,
) -> Floats:  # fmt: skip
    """One post-LayerNorm encoder layer over sequences laid end to end, sequence s from offsets[s] to offsets[s + 1]."""
    hidden = x.shape[1]
    width = len(layer.qkv.scale) // 3
    turned = rotate if rotated else lambda rows: rows
    query, key, value = (product(turned(x), layer.qkv)[:, start : start + hidden] for start in (0, width, 2 * width))
    context = np.concatenate(
        [x[:0]]
        + [
            attention(query[start:end], key[start:end], value[start:end], heads)
            for start, end in pairwise(offsets)
            if end > start
        ]
    )
    attended = layer_norm(
        x + product(context, layer.output)[:, :hidden], layer.attention_gamma, layer.attention_beta, epsilon
    )
    between = ACTIVATIONS[activation](product(turned(attended), layer.intermediate))
    between = between[:, : layer.feed_forward.weight.shape[1] * GROUP]
    return layer_norm(
        attended + product(turned(between), layer.feed_forward)[:, :hidden],
        layer.feed_forward_gamma,
        layer.feed_forward_beta,
        epsilon,
    )
