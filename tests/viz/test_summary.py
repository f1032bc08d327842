"""The table of layers: its numbers against counts by hand, its text, HTML and dict."""

from __future__ import annotations

import json
import math

import pytest

import minigrad as torch
import minigrad.nn as nn

from .nets import MLP, Clips, Residual, Tied, cases, classifier


def by_path(table):
    return {row.path: row for row in table.rows}


@pytest.mark.parametrize("name", [n for n, case in cases().items()
                                  if isinstance(case[0], nn.Module)])
def test_parameters_are_counted_once(name):
    model, inputs, _ = cases()[name]
    table = torch.summary(model, inputs=inputs)
    count = sum(math.prod(p.shape) for p in set(model.parameters()))
    assert table.total_params == table.trainable_params == count
    assert str(table).count("\n") >= 6


def test_numbers_of_a_convolutional_net():
    rows = by_path(torch.summary(classifier(), (2, 3, 8, 8), depth=9))
    assert rows["0.conv"].output_size == [(2, 4, 8, 8)]
    assert rows["0.conv"].num_params == 4 * 3 * 3 * 3
    assert rows["0.conv"].mult_adds == (2 * 8 * 8) * (4 * 3 * 3 * 3)
    assert rows["0.bn"].num_params == 8  # buffers are not parameters
    assert rows["3"].num_params == 64 * 6 + 6
    assert rows["3"].mult_adds == 2 * 64 * 6
    assert rows["1"].input_size == [(2, 4, 8, 8)]
    assert rows[""].num_params == 108 + 8 + 390


@pytest.mark.parametrize(("layer", "size", "count"), [
    (nn.Linear(5, 7), (3, 4, 5), 3 * 4 * 5 * 7),
    (nn.Conv1d(4, 6, 3, groups=2), (2, 4, 10), 2 * 8 * 6 * 2 * 3),
    (nn.Conv2d(3, 8, 3, stride=2, padding=1), (1, 3, 9, 9), 5 * 5 * 8 * 27),
    (nn.Conv3d(1, 2, 2), (1, 1, 4, 4, 4), 27 * 2 * 8),
    (nn.ReLU(), (4, 4), 0),
    (nn.Dropout(), (4, 4), 0),
    (nn.ConvTranspose2d(3, 4, 2, stride=2), (2, 3, 5, 5), 2 * 3 * 25 * 4 * 4),
    (nn.BatchNorm1d(4), (4, 4), 2 * 16),  # evaluation mode: scale, weight
    (nn.BatchNorm1d(4, affine=False), (4, 4), 16),
    (nn.LayerNorm(4), (4, 4), 3 * 16),  # squares, scale, weight
    (nn.GroupNorm(2, 4, affine=False), (4, 4, 2), 2 * 32),
    (nn.InstanceNorm1d(3), (2, 3, 5), 2 * 30),
    (nn.RMSNorm(4), (4, 4), 3 * 16),
    (nn.RNN(3, 5), (7, 2, 3), 14 * (5 * 3 + 5 * 5)),
    (nn.LSTM(3, 5, num_layers=2, bidirectional=True), (7, 2, 3),
     14 * 2 * (20 * 3 + 20 * 5 + 20 * 10 + 20 * 5)),
    (nn.LSTM(3, 5, proj_size=2), (7, 2, 3), 14 * (20 * 3 + 20 * 2 + 2 * 5)),
    (nn.GRU(3, 5, batch_first=True), (2, 7, 3), 14 * (15 * 3 + 15 * 5)),
    (nn.LSTMCell(3, 5), (2, 3), 2 * (20 * 3 + 20 * 5)),
    (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8),
     10 * (3 * 8 * 8 + 8 * 8 + 2 * 5 * 8 + 2 * 8 * 16) + 2 * 3 * 80),
])
def test_multiply_adds(layer, size, count):
    assert torch.summary(layer, size).total_mult_adds == count


def test_layers_that_are_called_again_are_marked():
    table = torch.summary(Tied(), inputs=(torch.tensor([[1, 2]]),))
    mix = [row for row in table.rows if row.path == "mix"]
    assert [row.first for row in mix] == [True, False]
    assert table.total_mult_adds == 2 * (36 + 36 + 60)
    assert str(table).count("(recursive)") == 1
    assert [r.path for r in torch.summary(Residual(), (1, 4, 5, 5)).rows].count("act") == 2


def test_several_inputs_and_outputs():
    bilinear = nn.Module()
    bilinear.fc = nn.Linear(3, 2)
    bilinear.forward = lambda a, b: {"a": bilinear.fc(a), "b": (b,)}
    table = torch.summary(bilinear, [(4, 3), (5, 6)])
    assert table.rows[0].input_size == [(4, 3), (5, 6)]
    assert table.rows[0].output_size == [(4, 2), (5, 6)]


def test_frozen_parameters():
    net = MLP()
    net.fc1.requires_grad_(False)
    table = torch.summary(net, (1, 8), columns=("num_params", "trainable"))
    rows = by_path(table)
    assert (rows[""].trainable, rows["fc1"].trainable, rows["fc2"].trainable) == (
        "partial", "False", "True")
    assert (table.total_params, table.trainable_params) == (144 + 68, 68)
    assert "Non-trainable params: 144" in str(table)


def test_depth_and_columns_choose_what_is_printed():
    net = classifier()
    assert "conv: Conv2d" not in str(torch.summary(net, (1, 3, 8, 8), depth=1))
    text = str(torch.summary(net, (1, 3, 8, 8), depth=2, columns=("mult_adds",)))
    assert "conv: Conv2d" in text
    assert "Mult-adds" in text.splitlines()[1]
    assert "Param #" not in text


def test_without_inputs_only_parameters_are_counted():
    table = torch.summary(MLP())
    assert [(row.path, row.num_params) for row in table.rows] == [
        ("", 212), ("fc1", 144), ("fc2", 68)]
    assert table.total_mult_adds == 0


def test_it_runs_in_evaluation_mode():
    table = torch.summary(nn.BatchNorm1d(3), (1, 3))
    assert table.rows[0].output_size == [(1, 3)]


def test_html_and_dict():
    table = torch.summary(Clips(), (1, 1, 6, 6, 6))
    page = table.html()
    assert page.count("<tr>") == len(table.rows) + 1
    assert page == table._repr_html_()
    content = json.loads(json.dumps(table.to_dict()))
    assert content["total_params"] == table.total_params
    assert [row["path"] for row in content["layers"]] == ["", "conv", "drop", "pool", "fc"]
    assert "<td" in page
    assert '<td class="n">112</td>' in page  # numbers stand at the right


def test_nested_deeply():
    deep = nn.Linear(2, 2)
    for _ in range(300):
        deep = nn.Sequential(deep)
    assert len(torch.summary(deep, (1, 2)).rows) == 301


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="colour"):
        torch.summary(MLP(), (1, 8), columns=("colour",))
    with pytest.raises(ValueError, match="not both"):
        torch.summary(MLP(), (1, 8), inputs=(torch.ones(1, 8),))
    with pytest.raises(ValueError, match="mode"):
        torch.summary(MLP(), (1, 8), mode="test")
    with pytest.raises(ValueError, match="need a run"):
        torch.summary(MLP(), memory=True)
    with pytest.raises(ValueError, match="repeats"):
        torch.summary(MLP(), (1, 8), time=True, repeats=0)
    with pytest.raises(ValueError, match="one per input"):
        torch.summary(MLP(), (1, 8), dtypes=[torch.float32, torch.float32])
    with pytest.raises(TypeError, match="int64"):
        torch.summary(MLP(), (1, 8), dtypes=["int64"])


def test_dtypes_and_batch_dim():
    ids = torch.summary(Tied(), (2, 3), dtypes=[torch.int64], columns=("dtype",))
    assert ids.rows[0].output_size == [(2, 3, 10)]
    assert by_path(ids)["embed"].dtype == "float32"
    assert torch.summary(MLP(), (8,), batch_dim=0).rows[0].input_size == [(1, 8)]
    half = torch.summary(nn.Linear(2, 3).half(), (4, 2))
    assert half.rows[0].dtype == "float16"


def test_functional_ops_count_for_the_module_that_calls_them():
    class Product(nn.Module):
        def forward(self, x):
            return torch.einsum("ij,kj->ik", x, x) @ x

    assert torch.summary(Product(), (4, 3)).rows[0].mult_adds == 4 * 4 * 3 + 4 * 3 * 4


def test_recurrent_layers_packed_and_with_states():
    packed = nn.utils.rnn.pack_sequence([torch.ones(4, 3), torch.ones(2, 3)])
    table = torch.summary(nn.LSTM(3, 5), inputs=(packed,))
    assert table.rows[0].output_size[0] == (6, 5)
    assert table.total_mult_adds == 6 * (20 * 3 + 20 * 5)
    state = (torch.zeros(1, 2, 5), torch.zeros(1, 2, 5))
    table = torch.summary(nn.LSTM(3, 5), inputs=(torch.ones(7, 2, 3), state))
    assert table.rows[0].output_size == [(7, 2, 5), (1, 2, 5), (1, 2, 5)]


def test_keyword_arguments_reach_the_model():
    layer = nn.MultiheadAttention(8, 2)
    x = torch.ones(5, 2, 8)
    with_weights = torch.summary(layer, inputs=(x, x, x))
    without = torch.summary(layer, inputs=(x, x, x), kwargs={"need_weights": False})
    assert [len(t.rows[0].output_size) for t in (with_weights, without)] == [2, 1]
    assert with_weights.total_mult_adds == without.total_mult_adds == (
        10 * (4 * 64) + 2 * 10 * 5 * 8)


def test_lazy_layers_stay_lazy():
    net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    table = torch.summary(net, (3, 5))
    assert table.total_params == 4 * 5 + 4 + 2 * 4 + 2
    assert net[0].has_uninitialized_params()


def test_lists_of_layers_and_parameters_have_rows():
    class Weights(nn.Module):
        def __init__(self):
            super().__init__()
            self.ws = nn.ParameterList([torch.ones(3, 3), torch.ones(3, 2)])

        def forward(self, x):
            return x @ self.ws[0] @ self.ws[1]

    table = torch.summary(Weights(), (4, 3), columns=("num_params", "params_percent"))
    assert [(r.path, r.num_params, r.called) for r in table.rows] == [
        ("", 15, True), ("ws", 15, False)]
    assert table.total_mult_adds == 4 * 9 + 4 * 6
    assert "100.00%" in str(table)


def test_kernels():
    net = nn.Sequential(nn.Conv2d(1, 2, (3, 1)), nn.MaxPool2d(2), nn.Flatten())
    text = str(torch.summary(net, (1, 1, 8, 8), columns=("kernel_size",)))
    assert "[3, 1]" in text
    assert "[2, 2]" in text
