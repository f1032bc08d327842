"""The likely bugs: for each a sentence for the table, and one of advice."""

from __future__ import annotations

SENTENCE = {
    "double": "counted twice?",
    "half": "a factor 2 is missing?",
    "sign": "sign flipped?",
    "sum": "a sum where the function takes a mean (factor N = {n})?",
    "mean": "a mean where the function takes a sum (factor 1/N, N = {n})?",
    "dropout": "scale 1/(1-p) of dropout missing or twice (p = {p:g})?",
    "factor": "a constant factor {ratio:.6g} too much?",
    "offset": "off by a constant along axis {axes}: missing mean term of a norm or softmax?",
    "transposed": "transposed: the gradient of another layout?",
    "permuted": "right values at wrong places (permutation, flip or shift)?",
    "detached": "zero everywhere: detached from the graph?",
    "part": "zero in part: a branch or a slice lost?",
    "unbroadcast": "only part of the outputs counted: not summed over a broadcast axis?",
    "repeated": "repeated index: assigned instead of accumulated?",
    "row": "one {what} is wrong as a whole: a loop or an index that is off by one?",
    "chain": "the incoming gradient is handed on: derivative of the function left out?",
    "stale": "stale value: {kept} was overwritten after it was saved",
    "precision": "computed in low precision, or by differences (small errors without a pattern)?",
    "random": "random: two equal calls gave different results",
    "kink": "kink: the slopes left and right are {left:.4g} and {right:.4g}; not between them",
    "nan": "not finite where the function has a finite slope",
    "output": "wrong for one output only",
    "single": "wrong at single elements: an index or a special case?",
    "unknown": "wrong by a factor that varies from element to element",
    "mutated": "the call wrote into its input",
    "state": "a call changed this attribute",
}

ADVICE = {
    "double": "The gradient is twice the derivative: look for a contribution that is added two "
              "times (a symmetric term, g added by hand and by the engine, += on a view).",
    "half": "The gradient is half the derivative: d(x**2) is 2x dx, and a symmetric matrix "
            "contributes through both triangles.",
    "sign": "The gradient has the wrong sign: look at a - b, 1 / x, cos and at terms moved from "
            "one side to the other.",
    "sum": "The gradient is N times too large: divide by the number of elements that forward "
           "averages over.",
    "mean": "The gradient is N times too small: forward adds up, so backward must not average "
            "(g.mean() where g.sum() is meant).",
    "dropout": "Kept elements are scaled by 1/(1-p) in forward, and once in backward: save the "
               "scaled mask and multiply with it.",
    "factor": "The gradient is the derivative times one constant: compare the factor with eps, "
              "alpha, a scale or a number of elements in the code.",
    "offset": "The error is the same along the axis: x - mean(x) and softmax depend on every "
              "element, so backward must subtract the mean (or the weighted sum) of the gradient.",
    "transposed": "The values are right for another order of the axes: g @ b.T and b.T @ g, "
                  "or a reshape where a transpose is meant.",
    "permuted": "The values are right and stand at wrong places: undo permutations by their "
                "inverse (argsort), flips by flips, a roll by the opposite roll.",
    "detached": "No gradient arrives at all: look for detach(), .data, numpy(), no_grad(), a "
                "None in backward, or an output that forward computed outside of the graph.",
    "part": "The gradient is zero at some elements only: a branch (where, a slice, the last chunk, "
            "padding) does not hand its gradient back.",
    "unbroadcast": "The input is used for several outputs: add up the gradient over the axes "
                   "that broadcasting made (g.sum(axis)), do not pick one.",
    "repeated": "An index occurs several times: g_x[index] = g keeps the last one; use "
                "np.add.at(g_x, index, g) or index_add.",
    "row": "One row, channel or slice is wrong and the rest is right: look at the first or last "
           "step of a loop, an index that is off by one, and at how broadcasting is undone.",
    "chain": "Backward returns g itself: multiply by the derivative of the function.",
    "stale": "Save a copy (ctx.save_for_backward(x.clone())), or do not write in place to what "
             "backward needs; tensors set as attributes of ctx are not watched.",
    "precision": "The error has no pattern and is small: keep float64 inside (no .float(), no "
                 "np.float32), use the exact derivative, not differences.",
    "random": "Two equal calls must agree: draw random numbers from minigrad's generators (they "
              "are replayed), or pass the mask as an input.",
    "kink": "At a kink every value between the one-sided derivatives is right; choose one of "
            "them.",
    "nan": "Guard the division or the logarithm in backward (0 * inf, x / |x| at 0); where() does "
           "not help after the nan has been made.",
    "output": "All other outputs are right: look at what is special about this one (first, last, "
              "padding, a tie).",
    "single": "All other elements are right: look at what is special about this one (first, "
              "last, equal values, bounds).",
    "unknown": "No simple pattern: check the formula against the derivative on paper, or "
               "report.blame() for which op it is.",
    "mutated": "Work on a copy: the caller's array changes under its hands, and the gradient is "
               "taken at another point than the value.",
    "state": "A call that changes the module gives other results next time; register the tensor "
             "as a buffer if that is meant (it is put back after each call), or keep it local.",
    "dtype": "Return gradients in the dtype of the input: a lower one loses digits.",
    "shape": "Return one gradient per input, each in the shape of that input; undo broadcasting "
             "with a sum.",
    "undefined": "Backward must run, and return a gradient for every input that forward "
                 "differentiates: call it by hand with this input to see the whole traceback.",
    "variant": "Same values, other memory: look for code that assumes contiguous memory (strides, "
               "ravel or view that are written to), for writes into an input, for `a is b` where "
               "one tensor is given twice, and for state that is kept between calls.",
}
