"""What users trip over with these layers: errors name the place and the remedy; hints."""

from __future__ import annotations

import copy
import warnings

import pytest

import minigrad as torch
from minigrad import nn
from tests.layers import families, lines_of, make


class Net(nn.Module):
    """Some layer at the path net.block.1."""

    def __init__(self, layer):
        super().__init__()
        self.block = nn.Sequential(nn.Identity(), layer)

    def forward(self, x):
        return self.block(x)


# ---- errors with a place
@pytest.mark.parametrize("layer", [
    nn.BatchNorm1d(3), nn.BatchNorm1d(3, affine=False), nn.BatchNorm1d(3, momentum=None),
    nn.BatchNorm1d(3, track_running_stats=False), nn.SyncBatchNorm(3)])
def test_one_value_per_channel_names_remedies(layer):
    net = Net(layer)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel") as caught:
        net(torch.ones(1, 3))
    for remedy in ("larger batch", "drop_last=True", "eval()", "LayerNorm", "GroupNorm"):
        assert remedy in str(caught.value)
    assert caught.value.__notes__[0].startswith(f"  in net.block.1: {type(layer).__name__}(3, ")
    assert caught.value.__notes__[0].endswith("called with (1, 3)")
    if layer.track_running_stats:
        assert net.eval()(torch.ones(1, 3)).shape == (1, 3)


WRONG = {  # layer: (input shape, error, what the text must say)
    "nn.BatchNorm2d(3)": ((2, 5, 4, 4), RuntimeError, "expected 3 channels in dim 1", "got 5"),
    "nn.BatchNorm2d(3, affine=False)": ((2, 5, 4, 4), RuntimeError, "expected 3 channels",
                                        "got 5"),
    "nn.BatchNorm2d(3, track_running_stats=False)": ((2, 5, 4, 4), RuntimeError,
                                                     "expected 3 channels in dim 1", "got 5"),
    "nn.InstanceNorm2d(3, affine=True)": ((3, 2, 4, 4), ValueError,
                                          "dim=1 to match num_features (3)", "got: 2"),
    "nn.InstanceNorm2d(3, track_running_stats=True, affine=True)": (
        (2, 3, 4), ValueError, "dim=0 to match num_features (3)", "got: 2", "without a batch"),
    "nn.GroupNorm(2, 4)": ((2, 6, 3), RuntimeError, "expected 4 channels in dim 1", "got 6"),
    "nn.LayerNorm(4)": ((2, 5), RuntimeError, "normalized_shape=[4]", "(2, 5)"),
    "nn.RMSNorm(4)": ((2, 5), RuntimeError, "normalized_shape=[4]", "(2, 5)"),
    "nn.Linear(3, 4)": ((2, 5), RuntimeError, "expected 3 features in the last dimension",
                        "[2, 5]"),
    "nn.Conv1d(3, 4, 2)": ((1, 5, 8), RuntimeError, "expected 3 channels in dim 1", "got 5"),
    "nn.Conv2d(3, 4, 3)": ((5, 8, 8), RuntimeError, "expected 3 channels in dim 0", "got 5"),
    "nn.ConvTranspose2d(3, 4, 3)": ((1, 5, 8, 8), RuntimeError, "expected 3 channels in dim 1",
                                    "got 5"),
    "nn.PReLU(3)": ((2, 5), RuntimeError, "size 5", "got 3"),
    "nn.BatchNorm1d(3)": ((2, 3, 4, 4), ValueError, "expected 2D or 3D input", "4D", "dim 1"),
    "nn.BatchNorm3d(3)": ((2, 3, 4), ValueError, "expected 5D input", "3D", "dim 1"),
}


@pytest.mark.parametrize("layer", WRONG)
def test_wrong_shape_names_layer_dimension_expected_and_got(layer):
    shape, error, *said = WRONG[layer]
    net = Net(eval(layer))
    with pytest.raises(error) as caught:
        net(torch.ones(shape))
    for part in said:
        assert part in str(caught.value)
    kind = layer[3:layer.index("(")]
    assert caught.value.__notes__[0].startswith(f"  in net.block.1: {kind}(")
    assert caught.value.__notes__[0].endswith(f"called with {shape}")
    assert caught.value.__notes__[-1] == f"  in net: Net, called with {shape}"


def test_lazy_layers_have_a_place_too():
    net = Net(nn.LazyConv2d(4, 3, groups=2))
    with pytest.raises(ValueError, match="3 channels in the input and 2 groups") as caught:
        net(torch.ones(1, 3, 8, 8))
    assert caught.value.__notes__[0].startswith("  in net.block.1: LazyConv2d(")


def test_dropout2d_says_how_it_reads_three_dimensions():
    """As in PyTorch 3-D is (N, C, L), with a warning; `batched` says it without one."""
    x = torch.ones(6, 50, 40)
    with pytest.warns(UserWarning, match=r"\(N, C, L\).*batched=True or batched=False"):
        y = nn.Dropout2d()(x)
    assert torch.equal(y, y[:, :, :1].expand_as(y))
    y = nn.Dropout2d(batched=True)(x)
    assert torch.equal(y, y[:, :, :1].expand_as(y))
    y = nn.Dropout2d(batched=False)(x)
    assert torch.equal(y, y[:, :1, :1].expand_as(y))


# ---- generators
def draws(line):
    """Tell whether making the layer itself (not one inside it) takes random numbers."""
    before = torch.get_rng_state()
    make(line, torch)
    return line.make.count("nn.") == 1 and not torch.equal(torch.get_rng_state(), before)


DRAWING = [line for family in families() for line in lines_of(family) if draws(line)]


@pytest.mark.parametrize("line", DRAWING, ids=lambda line: line.make)
def test_first_values_follow_the_generator(line):
    """Equal seeds give equal bits, whatever the default generator does."""
    seeded = f"{line.make[:-1]}, generator=seeded)"
    twins = []
    for default in (1, 2):
        torch.manual_seed(default)
        before = torch.get_rng_state()
        twins.append(eval(seeded, {"nn": nn, "torch": torch,
                                   "seeded": torch.Generator().manual_seed(3)}))
        assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(*(twin.state_dict().values() for twin in twins), strict=True):
        assert torch.equal(a, b)


def test_devices_that_are_not_there_are_refused():
    for device in ("cuda", "meta", "mps"):
        with pytest.raises(RuntimeError, match="CPU only"):
            nn.Linear(1, 1, device=device)
        with pytest.raises(RuntimeError, match="CPU only"):
            nn.BatchNorm1d(1).to(device)


# ---- hints
@pytest.fixture
def hints():
    torch.set_hints(True)
    yield
    torch.set_hints(False)


def said(act):
    """Return the texts of the warnings of a call under no_grad."""
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        act()
    return [str(each.message) for each in caught]


X = torch.ones(4, 3)


def test_hints_are_off_at_first():
    assert torch.get_hints() is False
    assert said(lambda: nn.Dropout()(X)) == []
    assert said(lambda: nn.BatchNorm1d(3)(X)) == []


@pytest.mark.parametrize("layer", [nn.Dropout(), nn.AlphaDropout(), nn.Dropout1d(),
                                   nn.FeatureAlphaDropout(), nn.Dropout(inplace=True)])
def test_dropout_under_no_grad_hints_once(hints, layer):
    first = said(lambda: layer(X.clone()))
    assert len(first) == 1
    assert "dropout is active under no_grad" in first[0]
    assert "model.eval()" in first[0]
    assert said(lambda: layer(X.clone())) == []
    torch.set_hints(True)
    assert len(said(lambda: layer(X.clone()))) == 1


def test_batchnorm_under_no_grad_hints_once(hints):
    net = Net(nn.BatchNorm1d(3))
    first = said(lambda: net(X))
    assert len(first) == 1
    assert first[0].startswith("BatchNorm1d is in training mode under no_grad")
    assert said(lambda: net(X)) == []


def test_hints_only_where_something_is_odd(hints):
    """Not in eval mode, not without dropping, not where gradients are recorded."""
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    assert said(lambda: copy.deepcopy(net).eval()(X)) == []
    assert said(lambda: nn.Dropout(0.0)(X)) == []
    assert said(lambda: nn.functional.dropout(X, training=False)) == []
    net(X)  # a warning would be an error here
    with net.evaluating():
        assert said(lambda: net(X)) == []


def test_set_hints_takes_a_bool():
    with pytest.raises(TypeError, match="expected a bool, got int"):
        torch.set_hints(1)
