"""Notes on errors: the path of the layer, and the shapes that each layer was called with."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad import nn
from tests.nn.test_module import Net


def test_error_ends_with_the_path_of_the_layer():
    net = Net()
    with pytest.raises(RuntimeError) as caught:
        net(torch.ones(3, 5), shift=torch.ones(2))
    assert caught.value.__notes__ == [
        "  in net.block.0: Linear(in_features=4, out_features=3, bias=True), called with (3, 5)",
        "  in net.block: Sequential, called with (3, 5)",
        "  in net: Net, called with (3, 5), shift=(2,)"]


def test_path_without_a_variable_is_the_class_name():
    with pytest.raises(RuntimeError) as caught:
        nn.Sequential(nn.Linear(2, 2))(torch.ones(3))
    assert caught.value.__notes__[-1] == "  in sequential: Sequential, called with (3,)"


def test_unregistered_layers_and_foreign_notes():
    class Hidden(nn.Module):
        def forward(self, x):
            try:
                return nn.Linear(2, 2)(x)
            except RuntimeError as error:
                error.add_note("mine")
                raise

    net = Hidden()
    with pytest.raises(RuntimeError) as caught:
        net(torch.ones(3))
    assert caught.value.__notes__ == [
        "mine",
        "  in net.<Linear>: Linear(in_features=2, out_features=2, bias=True), called with (3,)",
        "  in net: Hidden(), called with (3,)"]


@pytest.mark.parametrize("broken", ["extra_repr", "named_modules", "__repr__", "children"])
def test_a_broken_module_does_not_hide_the_error(broken):
    """What goes wrong while the notes are written is not what the user must see."""
    def fail(self, *args, **kwargs):
        raise KeyError("while printing or walking")

    def forward(self, x):
        raise ZeroDivisionError("the real error")

    layer = type("Broken", (nn.Module,), {broken: fail, "forward": forward})()
    for net in (layer, nn.Sequential(layer)):
        with pytest.raises(ZeroDivisionError, match="the real error"):
            net(torch.ones(2))


def test_arguments_of_any_kind():
    class Picky(nn.Module):
        def forward(self, *args, **kwargs):
            raise ValueError("no")

    picky = Picky()
    with pytest.raises(ValueError, match="no") as caught:
        picky(torch.ones(2, 3), [1], None, key=torch.ones(()))
    assert caught.value.__notes__ == [
        "  in picky: Picky(), called with (2, 3), list, NoneType, key=()"]
