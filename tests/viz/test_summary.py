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
    (nn.BatchNorm1d(4), (4, 4), 0),
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
