"""Bugs in the rules of ops: elementwise, reductions, products, indexing, views."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as torch

from .planted_tools import (
    Plant,
    flipped,
    half_precision,
    handed_on,
    not_a_number,
    one,
    only_first,
    rolled,
    row,
    swapped,
    times,
    varying,
    zero,
    zero_part,
)


def on(fn: Any, *shapes: Any, low: float | None = None) -> Any:
    """Return a maker of a function and its tensors: random shapes, positive ones above `low`."""
    def make(rng: np.random.Generator) -> tuple[Any, ...]:
        inputs = []
        for shape in shapes:
            if isinstance(shape, tuple):
                values = np.asarray(rng.standard_normal(shape) if low is None else
                                    low + rng.random(shape))
                inputs.append(torch.from_numpy(values).requires_grad_())
            else:
                inputs.append(shape)
        return fn, *inputs
    return make


def pairs(seed: int = 3) -> Any:
    """A square matrix that is well-conditioned and has no symmetry."""
    def make(rng: np.random.Generator) -> Any:
        return torch.from_numpy(4 * np.eye(4) + rng.standard_normal((4, 4))).requires_grad_()
    return make


def matrix(fn: Any, *shapes: Any) -> Any:
    make = pairs()
    return lambda rng: (fn, make(rng), *on(fn, *shapes)(rng)[1:])


REPEATS = torch.tensor([0, 2, 2, 5, 0, 2, 1])
GRID = torch.tensor([[0, 1, 1, 2], [2, 2, 0, 1]])
ZEROS = torch.tensor([1.0, 0.0, -2.0, 3.0], dtype=torch.float64)
MASK = torch.tensor([[True, False, True, False, True]] * 4)


def set_at_zero(value: float) -> Any:
    return lambda made, g, rng: np.where(ZEROS.numpy() == 0, g * value, made)


def assigned(made: Any, g: Any, rng: Any) -> Any:
    """What np.add.at adds up is assigned instead: the last of equal indices wins."""
    index = REPEATS.numpy()
    wrong = np.zeros_like(made)
    wrong[index] = g
    return wrong


def gather_assigned(made: Any, g: Any, rng: Any) -> Any:
    wrong = np.zeros_like(made)
    np.put_along_axis(wrong, GRID.numpy(), g, 1)
    return wrong


def last_lost(made: Any, g: Any, rng: Any) -> Any:
    made = np.array(made)
    made[np.flatnonzero(made)[-1]] = 0
    return made


ELEMENTWISE = [
    Plant("mul: counted twice", on(lambda a, b: a * b, (3, 4), (3, 4)), "double",
          ("elementwise.mul", "input", times(2))),
    Plant("mul: other detached", on(lambda a, b: a * b, (3, 4), (4,)), "detached",
          ("elementwise.mul", "other", zero)),
    Plant("sub: sign", on(lambda a, b: torch.sub(a, b).tanh(), (5,), (5,)), "sign",
          ("elementwise.sub", "other", times(-1))),
    Plant("div: sign of the denominator", on(lambda a, b: a / b, (5,), (5,), low=1), "sign",
          ("elementwise.div", "other", times(-1))),
    Plant("exp: half", on(lambda x: x.exp(), (2, 6)), "half", ("elementwise.exp", "input",
                                                                times(0.5))),
    Plant("log: a factor", on(lambda x: x.log(), (9,), low=0.5), "factor",
          ("elementwise.log", "input", times(1.3))),
    Plant("tanh: derivative left out", on(lambda x: x.tanh(), (5, 5)), "chain",
          ("elementwise.tanh", "input", handed_on)),
    Plant("sin: half precision", on(lambda x: x.sin(), (6, 7)), "precision",
          ("special.sin", "input", half_precision)),
    Plant("sqrt: one element of 500", on(lambda x: x.sqrt(), (20, 25), low=0.5), "single",
          ("elementwise.sqrt", "input", one(1.01))),
    Plant("pow: three elements", on(lambda x: x**3, (60,), low=0.5), "single",
          ("elementwise.pow", "input", one(1.1, 3))),
    Plant("sigmoid: varying", on(lambda x: x.sigmoid(), (40,)), "unknown",
          ("elementwise.sigmoid", "input", varying)),
    Plant("abs: nan at one element", on(lambda x: x.abs() * 2, (12,)), "nan",
          ("elementwise.abs", "input", not_a_number), kind="nan"),
    Plant("relu: no subgradient", lambda rng: (torch.nn.functional.relu, ZEROS.clone()
                                               .requires_grad_()), "kink",
          ("piecewise.relu", "input", set_at_zero(2.5)), kind="kink"),
    Plant("clamp: outside of the bounds", on(lambda x: x.clamp(-0.5, 0.5), (30,)), "chain",
          ("choose.clamp", "input", handed_on)),
    Plant("where: a branch lost", on(lambda a, b: torch.where(MASK, a.sin(), b), (4, 5), (4, 5)),
          "detached", ("choose._where", "other", zero)),
    Plant("maximum: half lost", on(lambda a, b: torch.maximum(a, b + 3), (6, 4), (6, 4)), "part",
          ("choose.maximum", "other", zero_part())),
    Plant("gelu: a row", on(torch.nn.functional.gelu, (6, 30)), "row",
          ("activation.gelu", "input", row(0))),
    Plant("lerp: sign of the weight", on(torch.lerp, (4,), (4,), (4,)), "sign",
          ("arithmetic.lerp", "weight", times(-1))),
    Plant("atan2: sign", on(torch.atan2, (6,), (6,), low=0.3), "sign",
          ("special.atan2", "other", times(-1))),
    Plant("hypot: a column", on(torch.hypot, (20, 6), (20, 6), low=0.5), "row",
          ("special.hypot", "other", row(1))),
    Plant("add: not summed over the rows", on(lambda x, b: x + b, (6, 5), (5,)), "unbroadcast",
          ("elementwise.add", "other", only_first())),
    Plant("prelu: averaged weight", on(torch.nn.functional.prelu, (4, 5), (1,)), "mean",
          ("piecewise._prelu_kernel", "weight", times(1 / 20))),
]

REDUCTIONS = [
    Plant("sum: averaged", on(lambda x: x.sum(1), (4, 9)), "mean",
          ("reduce.sum", "input", times(1 / 9))),
    Plant("mean: not divided", on(lambda x: x.mean(0), (7, 5)), "sum",
          ("reduce.mean", "input", times(7))),
    Plant("var: n and n - 1", on(lambda x: x.var(1), (3, 6)), "factor",
          ("reduce._var", "input", times(6 / 5))),
    Plant("std: half", on(lambda x: x.std(0), (5, 3)), "half", ("reduce._std", "input",
                                                                times(0.5))),
    Plant("logsumexp: varying", on(lambda x: x.logsumexp(1), (4, 9)), "unknown",
          ("reduce.logsumexp", "input", varying)),
    Plant("prod: sign", on(lambda x: x.prod(1), (3, 4), low=0.5), "sign",
          ("cumulative.prod", "input", times(-1))),
    Plant("cumsum: last row wrong", on(lambda x: x.cumsum(1), (6, 9)), "row",
          ("cumulative.cumsum", "input", row(0))),
    Plant("max along a dim: next place", on(lambda x: x.max(1)[0], (6, 7)), "permuted part unknown",
          ("extremes._max_dim", "input", rolled())),
    Plant("norm: counted twice", on(lambda x: torch.linalg.norm(x, dim=1), (4, 5)), "double",
          ("vector_norm.linalg_vector_norm", "x", times(2))),
    Plant("softmax: no weighted mean", on(lambda x: x.softmax(1), (3, 7)), "offset unknown",
          ("softmax._softmax", "input", lambda made, g, rng: made + g.mean(1, keepdims=True))),
    Plant("log_softmax: the gradient handed on", on(lambda x: x.log_softmax(1), (4, 6)), "chain",
          ("softmax._log_softmax", "input", handed_on)),
    Plant("sort: not put back", on(lambda x: x.sort()[0], (15,)), "permuted",
          ("sort._sort", "input", rolled())),
    Plant("topk: one lost", on(lambda x: x.topk(3)[0], (12,)), "part single",
          ("sort._topk", "input", last_lost)),
]

PRODUCTS = [
    Plant("matmul: transposed", on(lambda a, b: a @ b, (5, 5), (5, 5)), "transposed",
          ("linalg.matmul", "input", swapped)),
    Plant("matmul: reshaped for transposed", on(lambda a, b: a @ b, (3, 4), (4, 6)), "transposed",
          ("linalg.matmul", "other", swapped)),
    Plant("bmm: a batch", on(torch.bmm, (4, 3, 5), (4, 5, 2)), "row unknown",
          ("linalg.bmm", "mat2", row(0))),
    Plant("linear: bias of the first row", on(torch.nn.functional.linear, (6, 3), (4, 3), (4,)),
          "unbroadcast", None, lambda rng: (first_row_bias, *on(None, (6, 3), (4, 3), (4,))(
              rng)[1:])),
    Plant("linear: one weight", on(torch.nn.functional.linear, (5, 20), (30, 20)), "single",
          ("linalg._linear", "weight", one(1.01))),
    Plant("linear: a row of the weight", on(torch.nn.functional.linear, (5, 20), (9, 20)), "row",
          ("linalg._linear", "weight", row(0))),
    Plant("inv: sign", matrix(torch.linalg.inv), "sign", ("decompose.inv", "A", times(-1))),
    Plant("solve: transposed", matrix(torch.linalg.solve, (4, 2)), "transposed",
          ("decompose._solve", "A", swapped)),
    Plant("det: transposed cofactors", matrix(torch.linalg.det), "transposed",
          ("decompose.det", "A", swapped)),
    Plant("dot: detached", on(torch.dot, (7,), (7,)), "detached", ("linalg.dot", "tensor", zero)),
    Plant("addmm: sum for mean", on(torch.addmm, (3, 4), (3, 7), (7, 4)), "sum mean factor",
          ("products.addmm", "mat1", times(7))),
]


class FirstRowBias(torch.autograd.Function):
    """A linear layer whose bias gradient is that of the first row."""

    @staticmethod
    def forward(ctx, input, weight, bias):
        ctx.save_for_backward(input, weight)
        return input @ weight.T + bias

    @staticmethod
    def backward(ctx, g):
        input, weight = ctx.saved_tensors
        return g @ weight, g.T @ input, g[0]


def first_row_bias(input, weight, bias):
    return FirstRowBias.apply(input, weight, bias)


INDEXING = [
    Plant("index_select: assigned", on(lambda x: x.index_select(0, REPEATS), (6, 3)), "repeated "
          "unbroadcast", ("scatter.index_select", "input", assigned)),
    Plant("x[index]: assigned", on(lambda x: x[REPEATS], (6,)), "repeated unbroadcast",
          ("index.take_index", "input", assigned)),
    Plant("gather: assigned", on(lambda x, index: x.gather(1, index), (2, 3), GRID), "repeated",
          ("scatter._gather", "input", gather_assigned)),
    Plant("scatter_add: source rolled", on(lambda x, index, src: x.scatter_add(1, index, src),
                                           (2, 3), GRID, (2, 4)), "permuted",
          ("scatter.scatter_add", "src", rolled())),
    Plant("cat: pieces exchanged", on(lambda a, b: torch.cat([a, b]), (4,), (4,)), "permuted "
          "unknown chain factor",
          ("join.cat", "tensors", lambda made, g, rng: list(made)[::-1])),
    Plant("stack: one detached", on(lambda a, b: torch.stack([a.sin(), b]), (4,), (4,)),
          "detached", ("join.stack", "tensors", lambda made, g, rng: [
              made[0], np.zeros_like(made[1])])),
    Plant("masked_fill: handed on", on(lambda x: x.masked_fill(MASK, 2.0), (4, 5)), "chain",
          ("choose.masked_fill", "input", handed_on)),
    Plant("masked_select: permuted", on(lambda x: x.masked_select(MASK), (4, 5)), "permuted",
          ("masked.masked_select", "input", flipped(0))),
]

VIEWS = [
    Plant("flip: not flipped back", on(lambda x: x.flip(0).sin(), (9,)), "permuted unknown",
          ("arrange.flip", "input", flipped())),
    Plant("roll: twice as far", on(lambda x: x.roll(2), (11,)), "permuted",
          ("arrange.roll", "input", rolled(by=2))),
    Plant("permute: reshaped", on(lambda x: x.permute(1, 0) * 2, (3, 5)), "transposed",
          ("shape.permute", "input", swapped)),
    Plant("transpose: reshaped", on(lambda x: x.transpose(0, 1).exp(), (4, 6)), "transposed",
          ("shape.transpose", "input", swapped)),
    Plant("expand: not summed", on(lambda x: x.expand(5, 4).sin(), (1, 4)), "mean "
          "unbroadcast", ("shape.expand", "input", times(1 / 5))),
    Plant("narrow: off by one", on(lambda x: x.narrow(0, 2, 5), (9,)), "permuted",
          ("slicing.select_index", "input", rolled())),
    Plant("unfold: half lost", on(lambda x: x.unfold(0, 3, 2), (9,)), "part",
          ("arrange.unfold", "input", zero_part())),
    Plant("tril: upper kept", on(lambda x: x.tril(), (5, 5)), "chain",
          ("arrange.tril", "input", handed_on)),
    Plant("pad: off by one", on(lambda x: torch.nn.functional.pad(x, (1, 2)), (3, 8)), "permuted",
          ("pad.constant_pad", "input", rolled())),
    Plant("repeat: counted once", on(lambda x: x.repeat(4), (6,)), "mean",
          ("repeat.repeat", "input", times(1 / 4))),
    Plant("diagonal: flipped", on(lambda x: x.diagonal(), (5, 5)), "permuted",
          ("arrange.diagonal", "input", lambda made, g, rng: np.rot90(made, 2).copy())),
    Plant("pixel_shuffle: channels rolled", on(lambda x: torch.nn.functional.pixel_shuffle(x, 2),
                                               (1, 8, 2, 3)), "permuted",
          ("rearrange._to_space", "input", rolled(1))),
]


PLANTS = [*ELEMENTWISE, *REDUCTIONS, *PRODUCTS, *INDEXING, *VIEWS]
