"""Derivatives of the ops whose rules are helpers or fused routines, as formulas for readers.

g is the gradient that arrives for the op's result y; the names are those of the op's arguments.
"""

from __future__ import annotations

_NORM = {
    "input": "invstd·(d − mean(d) − x̂·mean(d·x̂)), d = g·weight, x̂ = (input − mean)·invstd; the "
             "means over what is normalised together",
    "weight": "Σ g·x̂ over everything that shares the weight",
    "bias": "Σ g over everything that shares the bias",
}
_CONV = {
    "weight": "correlation of input with g: Σ input[window]·g over samples and places",
    "bias": "Σ g over samples and places",
}
_TIME = ("back through time: from the last step to the first, each step adds its own part and "
         "hands ∂L/∂h on to the step before")
FORMULAS: dict[str, dict[str, str]] = {
    "linear": {"input": "g @ weight", "weight": "gᵀ @ input", "bias": "Σ g over the rows"},
    "relu": {"input": "g where y > 0, else 0"},
    "matmul": {"input": "g @ otherᵀ", "other": "inputᵀ @ g"},
    "mm": {"input": "g @ mat2ᵀ", "mat2": "inputᵀ @ g"},
    "bmm": {"input": "g @ mat2ᵀ", "mat2": "inputᵀ @ g"},
    "convolution": {"input": "transposed convolution of g with weight", **_CONV},
    "transposed": {"input": "convolution of g with weight", **_CONV},
    "batch_norm": _NORM, "group_norm": _NORM, "layer_norm": _NORM,
    "rms_norm": {"input": "(g·weight − x̂·mean(g·weight·x̂)) / rms, x̂ = input / rms",
                 "weight": "Σ g·x̂ over everything that shares the weight"},
    "max_pool": {"input": "g, put where each window's maximum stood; 0 elsewhere"},
    "avg_pool": {"input": "g / window size, spread over each window"},
    "softmax": {"input": "y·(g − Σ g·y), the sum along dim"},
    "log_softmax": {"input": "g − exp(y)·Σ g, the sum along dim"},
    "class_cross_entropy": {
        "input": "g·(softmax(input) − one_hot(target)), divided by the number of targets if "
                 "reduction is mean (without weight and label_smoothing)",
    },
    "row_cross_entropy": {
        "input": "g·(softmax(input) − one_hot(target)), divided by the number of targets if "
                 "reduction is mean",
    },
    "mse_loss": {"input": "2·g·(input − target), divided by the number of elements if reduction "
                          "is mean",
                 "target": "2·g·(target − input), divided by the number of elements if reduction "
                           "is mean"},
    "nll_loss": {"input": "−g·weight[target] at the target's place, 0 elsewhere; divided by the "
                          "total weight if reduction is mean"},
    "embedding": {"weight": "g's rows added up at the indices that were looked up"},
    "sum": {"input": "g, repeated for every element that was added"},
    "mean": {"input": "g / number of elements, repeated for each of them"},
    "dropout": {"input": "g·noise: 0 where dropped, g/(1 − p) elsewhere"},
    "feature_dropout": {"input": "g·noise: 0 for dropped channels, g/(1 − p) elsewhere"},
    "recurrent_layer": dict.fromkeys(("input", "w_ih", "w_hh", "b_ih", "b_hh", "hx", "cx"), _TIME),
    "attention": {
        "query": "dS @ key·scale, dS = P·(dP − Σ dP·P), dP = g @ valueᵀ, P = softmax(scores)",
        "key": "dSᵀ @ query·scale, dS as for the query", "value": "Pᵀ @ g",
    },
}
