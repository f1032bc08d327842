"""Wrong arguments of norms, dropouts and activations: torch's classes, sentences that help."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from tests.accuracy.refusals import CALLS, outcome

DATA = np.load(Path(__file__).parent.parent / "data" / "accuracy_refusals.npz")
TORCHS = dict(zip(DATA["calls"].tolist(), DATA["errors"].tolist(), strict=True))

# torch's functions call a method of what is no tensor, an AttributeError; ours say what they expect
NO_TENSOR = tuple(f"F.{name}(" for name in ("sigmoid", "tanh", "tanhshrink", "softmax",
                                            "log_softmax"))
OTHERWISE = {
    # torch stumbles over its own backend there; nothing is wrong with no channels
    "nn.BatchNorm1d(0)(torch.ones(2, 0))": None,
    # torch looks at the number of elements only
    "F.batch_norm(torch.ones(2, 4, 3), None, None, torch.ones(4, 1), training=True)":
        "RuntimeError",
}


@pytest.mark.parametrize("call", CALLS)
def test_the_same_is_refused_with_the_same_class(call):
    """And the sentence is not one of Python's or NumPy's about our internals."""
    kind, text = outcome(call, torch)
    expected = OTHERWISE.get(call, TORCHS[call] or None)
    if expected == "AttributeError" and call.startswith(NO_TENSOR):
        expected = "TypeError"
    assert kind == expected, text
    assert "ufunc" not in text
    if kind is not None:
        assert issubclass(getattr(builtins, kind), Exception)
        assert len(text) > 20


@pytest.mark.parametrize(("call", "words"), [
    ("nn.GroupNorm(0, 4)", ("num_groups", "0")),
    ("nn.GroupNorm(3, 4)", ("num_channels (4)", "num_groups (3)")),
    ("F.group_norm(torch.ones(2, 4), 3)", ("num_groups=3", "channels", "4", "(2, 4)")),
    ("nn.LayerNorm(2.5)", ("normalized_shape", "float", "2.5")),
    ("nn.LayerNorm([3, 4])(torch.ones(2, 4, 3))", ("[3, 4]", "(2, 4, 3)", "last dimensions")),
    ("nn.BatchNorm2d(3)(torch.ones(1, 3, 1, 1))", ("[1, 3, 1, 1]", "drop_last=True", "eval()")),
    ("nn.LayerNorm(3)(torch.ones(2, 3).double())", ("weight", "float64", "float32", "convert")),
    ("nn.LayerNorm(3, eps='a')(torch.ones(2, 3))", ("eps", "number", "'a'")),
    ("nn.BatchNorm1d(3, momentum='a')(torch.ones(2, 3))", ("momentum", "number", "'a'")),
    ("F.local_response_norm(torch.ones(2, 3, 4), 0)", ("size", "at least 1", "0")),
    ("F.softmax(torch.ones(2), 'a')", ("dim", "int", "str")),
    ("F.dropout(torch.ones(2), 'a')", ("p", "number", "'a'")),
    ("F.dropout(torch.ones(2), 1.5)", ("between 0 and 1", "1.5")),
    ("F.dropout(torch.ones(2).long(), 0.5)", ("int64", ".float()")),
    ("F.prelu(torch.ones(2, 3), torch.ones(2))", ("1 per channel", "size 3", "got 2")),
    ("F.gelu(torch.ones(2), approximate='erf')", ("'none'", "'tanh'", "'erf'")),
])
def test_sentences_name_what_came_and_what_was_expected(call, words):
    _, text = outcome(call, torch)
    for word in words:
        assert word in text
