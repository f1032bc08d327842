"""state_dict and load_state_dict: what they contain, what they refuse, their hooks."""

from __future__ import annotations

import copy
import pickle

import pytest

import minigrad as torch
from minigrad import nn


def pair():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_contents():
    net = pair()
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean",
                           "1.running_var", "1.num_batches_tracked"]
    assert dict(state._metadata) == {"": {"version": 1}, "0": {"version": 1}, "1": {"version": 2}}
    assert type(state["0.weight"]) is torch.Tensor
    assert not state["0.weight"].requires_grad
    assert state["0.weight"].data_ptr() == net[0].weight.data_ptr()
    assert net.state_dict(keep_vars=True)["0.weight"] is net[0].weight
    assert list(net[0].state_dict(prefix="a.")) == ["a.weight", "a.bias"]
    given = {}
    assert net[0].state_dict(destination=given) is given
    with pytest.warns(FutureWarning, match="positional"):
        assert list(net[0].state_dict({}, "b.")) == ["b.weight", "b.bias"]


def test_strict_error_lists_everything():
    with pytest.raises(RuntimeError) as caught:
        pair().load_state_dict({"0.weight": torch.ones(2, 2), "foo": torch.ones(1), "0.bias": 3,
                                "1.bar": torch.ones(1)})
    assert str(caught.value).split("\n\t") == [
        "Error(s) in loading state_dict for Sequential:",
        'Missing key(s) in state_dict: "1.weight", "1.bias", "1.running_mean", "1.running_var". ',
        'Unexpected key(s) in state_dict: "foo", "1.bar". ',
        "size mismatch for 0.weight: copying a param with shape torch.Size([2, 2]) from "
        "checkpoint, the shape in current model is torch.Size([3, 2]).",
        'While copying the parameter named "0.bias", expected torch.Tensor or Tensor-like object '
        "from checkpoint but received <class 'int'>"]


def test_not_strict():
    net = pair()
    report = net.load_state_dict({"0.bias": torch.ones(3), "foo": torch.ones(1)}, strict=False)
    assert report.unexpected_keys == ["foo"]
    assert report.missing_keys == ["0.weight", "1.weight", "1.bias", "1.running_mean",
                                   "1.running_var"]
    assert repr(report).startswith("_IncompatibleKeys(missing_keys=['0.weight'")
    assert net[0].bias.tolist() == [1.0, 1.0, 1.0]
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.bias"):
        net.load_state_dict({"0.bias": torch.ones(2)}, strict=False)


def test_what_fits_is_copied_before_the_error():
    net = pair()
    with pytest.raises(RuntimeError):
        net.load_state_dict({"0.bias": torch.full((3,), 7.0)})
    assert net[0].bias.tolist() == [7.0, 7.0, 7.0]


def test_copying_keeps_dtype_and_assigning_takes_it():
    net = nn.Linear(2, 1)
    weight = net.weight
    state = {"weight": torch.ones(1, 2, dtype=torch.float64), "bias": torch.ones(1)}
    net.load_state_dict(state)
    assert net.weight is weight
    assert net.weight.dtype is torch.float32
    net.weight.requires_grad_(False)
    net.load_state_dict(state, assign=True)
    assert net.weight is not weight
    assert type(net.weight) is nn.Parameter
    assert net.weight.dtype is torch.float64
    assert not net.weight.requires_grad
    assert net.weight.data_ptr() == state["weight"].data_ptr()
    assert net.bias.requires_grad


def test_loading_counts_as_in_place_write():
    net = nn.Linear(2, 1)
    loss = (net(torch.ones(1, 2)) * net.weight).sum()
    net.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.ones(1)})
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        loss.backward()


def test_old_formats():
    """0-d values once had shape (1,); BatchNorm had no num_batches_tracked before version 2."""
    m = nn.Module()
    m.register_buffer("x", torch.tensor(0.0))
    m.load_state_dict({"x": torch.tensor([3.0])})
    assert m.x.item() == 3.0
    bn = nn.BatchNorm1d(2)
    state = bn.state_dict()
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        bn.load_state_dict(state)
    bn.load_state_dict(dict(state))
    with pytest.raises(RuntimeError, match="track_running_stats=True"):
        nn.InstanceNorm1d(2).load_state_dict({"running_mean": torch.ones(2)})


class Counter(nn.Module):
    """A module whose state is more than tensors."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_extra_state():
    net, other = nn.Sequential(Counter()), nn.Sequential(Counter())
    net[0].count = 5
    state = net.state_dict()
    assert state == {"0._extra_state": {"count": 5}}
    other.load_state_dict(state)
    assert other[0].count == 5
    with pytest.raises(RuntimeError, match=r"Missing.*_extra_state"):
        other.load_state_dict({})
    with pytest.raises(RuntimeError, match=r"Unexpected.*_extra_state"):
        nn.Identity().load_state_dict({"_extra_state": 1})


def test_hooks():
    net, seen = pair(), []
    layer = net[0]
    handles = [
        layer.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append((prefix, keep))),
        layer.register_state_dict_post_hook(
            lambda m, state, prefix, meta: state.update({prefix + "new": torch.ones(1)})),
        layer.register_load_state_dict_pre_hook(
            lambda m, state, prefix, *rest: state.pop(prefix + "new")),
        layer.register_load_state_dict_post_hook(
            lambda m, keys: seen.append((m is layer, list(keys.unexpected_keys))))]
    state = net.state_dict()
    assert "0.new" in state
    net.load_state_dict(state)
    assert seen == [("0.", False), (True, [])]
    for handle in handles:
        handle.remove()
    assert "0.new" not in net.state_dict()


def test_hooks_must_not_return():
    layer = nn.Linear(1, 1)
    handle = layer.register_state_dict_post_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match="must return None"):
        layer.state_dict()
    handle.remove()
    layer.register_load_state_dict_post_hook(lambda *args: 3)
    with pytest.raises(AssertionError, match="None"):
        layer.load_state_dict(layer.state_dict())


def test_own_formats():
    """`_load_from_state_dict` sees the version that a file was saved with."""
    seen = []

    class Renamed(nn.Module):
        _version = 2

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            seen.append((prefix, local_metadata.get("version")))
            if local_metadata.get("version", 1) < 2:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    net = nn.Sequential(Renamed())
    given = {"0.w": torch.zeros(2)}
    net.load_state_dict(given)
    assert net[0].weight.tolist() == [0.0, 0.0]
    assert list(given) == ["0.w"]
    net.load_state_dict(net.state_dict())
    assert seen == [("0.", None), ("0.", 2)]


def test_instance_norm_without_the_count():
    """Files from before version 2 have no num_batches_tracked: as for BatchNorm."""
    layer = nn.InstanceNorm1d(2, track_running_stats=True)
    layer.load_state_dict({"running_mean": torch.ones(2), "running_var": torch.ones(2)})
    assert layer.running_mean.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
                         ids=["deepcopy", "pickle"])
def test_hooks_of_copies(duplicate):
    layer = nn.Linear(1, 1)
    layer.register_state_dict_post_hook(add_entry)
    layer.register_load_state_dict_pre_hook(drop_entry)
    twin = duplicate(layer)
    state = twin.state_dict()
    assert "new" in state
    twin.load_state_dict(state)


def add_entry(module, state_dict, prefix, local_metadata):
    state_dict[prefix + "new"] = torch.ones(1)


def drop_entry(module, state_dict, prefix, *rest):
    state_dict.pop(prefix + "new")


def test_private_hook_may_replace_the_dict():
    layer = nn.Linear(1, 1)
    layer._register_state_dict_hook(lambda m, state, prefix, meta: {"only": 1})
    assert layer.state_dict() == {"only": 1}
    layer = nn.Linear(1, 1)
    layer.register_state_dict_post_hook(add_entry)
    with pytest.raises(RuntimeError, match="previously registered via"):
        layer._register_state_dict_hook(add_entry)
