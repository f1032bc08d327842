"""The module-sample table: one line per case, run on minigrad and, by the recorder, on torch.

A line is `M("nn.Conv2d(3, 4, 3)", A(2, 3, 5, 5))`: how the layer is made, and its inputs, described
as in tests/samples. Parameters and buffers get values that depend only on the line's id.
`modes` says in which modes to run it, `order` up to which derivative to compare.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.samples import A, C, I
from tests.samples.evaluate import flatten


@dataclass
class Line:
    """One case of the table."""

    make: str
    inputs: tuple[Any, ...]
    modes: tuple[str, ...] = ("train", "eval")
    order: int = 2
    tol: float = 1e-9
    exact: bool = True  # the gradient is the derivative (not so if it is masked or rescaled)


def M(make: str, *inputs: Any, modes: str = "train eval", order: int = 2, tol: float = 1e-9,
      exact: bool = True) -> Line:
    """One line of the table."""
    return Line(make, inputs, tuple(modes.split()), order, tol, exact)


def generator(text: str) -> np.random.Generator:
    """Return the numbers that belong to a text; only `.random` is used (a fixed stream)."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(text.encode())))


def build(line: Line, torch: Any, dtype: str = "float64") -> Any:
    """Make the layer, with parameters and buffers set from the line's id."""
    module = eval(line.make, {"torch": torch, "nn": torch.nn})
    module = module.to(getattr(torch, dtype))
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                rng = generator(f"{line.make}/{name}")
                low, high = (0.5, 1.5) if name.endswith(("_var", "weight_g")) else (-1.0, 1.0)
                array = low + (high - low) * rng.random(tuple(value.shape))
                value.copy_(torch.from_numpy(np.asarray(array)).to(value.dtype))
    return module


def arguments(line: Line, torch: Any, dtype: str = "float64") -> list[Any]:
    """Make the inputs: float ones require grad if their description says so."""
    rng = generator(line.make + "/inputs")
    made = []
    for described in line.inputs:
        array = described.array(rng)
        floating = array.dtype.kind == "f"
        tensor = torch.from_numpy((array.astype(dtype) if floating else array).copy())
        made.append(tensor.requires_grad_() if floating and described.grad else tensor)
    return made


def evaluate(line: Line, torch: Any, mode: str, dtype: str = "float64",
             order: int | None = None) -> dict[str, Any]:
    """Return outputs, gradients by order, and buffers after the call, as arrays by name."""
    module = build(line, torch, dtype).train(mode == "train")
    inputs = arguments(line, torch, dtype)
    outs = flatten(module(*inputs), torch)
    names = [f"input{k}" for k, t in enumerate(inputs) if t.requires_grad]
    leaves = [t for t in inputs if t.requires_grad]
    for name, parameter in module.named_parameters():
        names.append(name)
        leaves.append(parameter)
    found = {f"out{k}": out.detach().numpy() for k, out in enumerate(outs)}
    tensors = outs
    last = line.order if order is None else order
    for k in range(1, last + 1):
        tensors = [t for t in tensors if t is not None and t.requires_grad]
        if not tensors or not leaves:
            break
        rng = generator(f"{line.make}/{k}")
        weights = [torch.from_numpy(np.asarray(rng.random(tuple(t.shape)) * 2 - 1)).to(t.dtype)
                   for t in tensors]
        tensors = list(torch.autograd.grad(tensors, leaves, weights, create_graph=k < last,
                                           allow_unused=True))
        for name, g in zip(names, tensors, strict=True):
            array = np.zeros(()) if g is None else g.numpy(force=True)
            if array.any():  # no gradient and zeros are the same
                found[f"d{k}:{name}"] = array
    for name, buffer in module.named_buffers():
        found[f"buffer:{name}"] = buffer.numpy()
    return found


_IMAGE = A(2, 4, 5, 6)
_LINE = A(3, 7, away=0.1)
_WELL_APART = A(2, 3, 6, 5, distinct=True)
_ACTIVATION = A(3, 4, away=0.1)
_STEPS = A(3, 4, low=-1.9, distinct=True)  # no value on a kink
SIGNS = C(3, 4, make=lambda rng: np.where(rng.random((3, 4)) < 0.5, -1.0, 1.0))
PLACES = C(2, 3, 4, make=lambda rng: np.tile(np.array([1, 2, 5, 6]), (2, 3, 1)))
PLACES_2D = C(make=lambda rng: np.arange(1, 16, 4).reshape(1, 1, 2, 2).repeat(2, 0))
PLACES_3D = C(make=lambda rng: np.arange(1, 16, 4).reshape(1, 1, 1, 2, 2).repeat(2, 0))

LINES = [
    # ---- containers
    M("nn.Module()"),
    M("nn.Sequential(nn.Linear(7, 3), nn.Tanh())", _LINE),
    M("nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3), nn.Linear(2, 4)])"),
    M("nn.ModuleDict([('b', nn.Linear(2, 3)), ('a', nn.PReLU())])"),
    M("nn.ParameterList([torch.ones(2), torch.ones(2, 3)])"),
    M("nn.ParameterDict({'b': torch.ones(2), 'a': torch.ones(())})"),
    # ---- linear
    M("nn.Identity(3, any=4)", _LINE),
    M("nn.Linear(7, 3)", _LINE),
    M("nn.Linear(7, 3, bias=False)", A(2, 3, 7)),
    M("nn.Linear(7, 1)", A(7)),
    M("nn.Bilinear(3, 4, 5)", A(2, 3), A(2, 4)),
    M("nn.Bilinear(3, 4, 2, bias=False)", A(2, 6, 3), A(2, 6, 4)),
    # ---- convolutions
    M("nn.Conv1d(4, 6, 3)", A(2, 4, 9)),
    M("nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)", A(2, 4, 9)),
    M("nn.Conv1d(4, 2, 4, padding='same', bias=False)", A(4, 9)),
    M("nn.Conv1d(4, 2, 3, padding=2, padding_mode='circular')", A(2, 4, 6)),
    M("nn.Conv2d(4, 6, 3, padding=1)", _IMAGE),
    M("nn.Conv2d(4, 2, (2, 3), stride=(1, 2), padding=(0, 1), dilation=(2, 1))", _IMAGE),
    M("nn.Conv2d(4, 4, 3, groups=4, bias=False, padding='valid')", _IMAGE),
    M("nn.Conv2d(4, 2, 3, padding='same', padding_mode='reflect', dilation=(1, 2))", _IMAGE),
    M("nn.Conv2d(4, 2, 3, stride=2, padding=1, padding_mode='replicate')", A(4, 5, 6)),
    M("nn.Conv2d(4, 2, 1)", _IMAGE),
    M("nn.Conv3d(2, 3, 2, stride=2, padding=1)", A(2, 2, 4, 3, 4)),
    M("nn.Conv3d(2, 4, (1, 2, 3), groups=2, padding='same')", A(2, 3, 3, 4)),
    M("nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1, output_padding=1)", A(2, 4, 5)),
    M("nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, dilation=(1, 2))", A(2, 4, 3, 3)),
    M("nn.ConvTranspose2d(4, 2, (2, 3), bias=False)", A(4, 3, 2)),
    M("nn.ConvTranspose3d(2, 2, 2, stride=(1, 2, 1), padding=(0, 1, 0))", A(1, 2, 2, 3, 2)),
    # ---- normalisation
    M("nn.BatchNorm1d(4)", A(5, 4)),
    M("nn.BatchNorm1d(4, affine=False)", A(2, 4, 3)),
    M("nn.BatchNorm1d(4, bias=False, eps=0.1)", A(5, 4)),
    M("nn.BatchNorm2d(4)", _IMAGE),
    M("nn.BatchNorm2d(4, momentum=None)", _IMAGE),
    M("nn.BatchNorm2d(4, momentum=0.3, track_running_stats=False)", _IMAGE),
    M("nn.BatchNorm3d(2)", A(2, 2, 2, 3, 2)),
    M("nn.InstanceNorm1d(4)", A(2, 4, 5)),
    M("nn.InstanceNorm1d(4, affine=True, track_running_stats=True)", A(4, 5)),
    M("nn.InstanceNorm2d(4, affine=True)", _IMAGE),
    M("nn.InstanceNorm2d(4, track_running_stats=True, momentum=0.2)", _IMAGE),
    M("nn.InstanceNorm2d(4, affine=True, bias=False)", A(4, 3, 3)),
    M("nn.InstanceNorm3d(2)", A(2, 2, 2, 2, 3)),
    M("nn.LayerNorm(7)", _LINE),
    M("nn.LayerNorm([4, 5, 6])", _IMAGE),
    M("nn.LayerNorm((5, 6), bias=False, eps=0.01)", _IMAGE),
    M("nn.LayerNorm(6, elementwise_affine=False)", _IMAGE),
    M("nn.GroupNorm(2, 4)", _IMAGE),
    M("nn.GroupNorm(1, 4, affine=False)", A(2, 4)),
    M("nn.GroupNorm(4, 4, bias=False)", A(3, 4, 5)),
    M("nn.RMSNorm(7)", _LINE),
    M("nn.RMSNorm([5, 6], eps=0.1, elementwise_affine=False)", _IMAGE),
    M("nn.LocalResponseNorm(3, alpha=0.5, k=2.0)", A(2, 5, 3)),
    M("nn.LocalResponseNorm(2, alpha=0.3, beta=0.5)", _IMAGE),
    # ---- dropout (the draws are not torch's: only what does not depend on them)
    M("nn.Dropout(0.3)", _LINE, modes="eval"),
    M("nn.Dropout(0.0)", _LINE),
    M("nn.Dropout(1.0)", _LINE),
    M("nn.Dropout1d(1.0)", A(2, 3, 4)),
    M("nn.Dropout1d()", A(3, 4), modes="eval"),
    M("nn.Dropout2d(1.0)", A(2, 3, 2, 2)),
    M("nn.Dropout3d(0.0)", A(2, 3, 2, 2, 1)),
    M("nn.AlphaDropout(1.0)", _LINE),
    M("nn.AlphaDropout(0.2)", _LINE, modes="eval"),
    M("nn.FeatureAlphaDropout(0.0)", A(2, 3, 4)),
    # ---- activations
    *[M(f"nn.{name}()", _ACTIVATION) for name in (
        "ReLU", "ReLU6", "Sigmoid", "Tanh", "SELU", "SiLU", "Mish", "Hardswish", "LogSigmoid",
        "Softsign", "Tanhshrink", "LeakyReLU", "ELU", "CELU", "GELU", "Softplus", "PReLU")],
    M("nn.Hardsigmoid()", _ACTIVATION, order=1, tol=1e-7),  # torch: 1/6 in float32
    M("nn.ReLU(inplace=True)", C(3, 4, away=0.1)),
    M("nn.SELU(True)", C(3, 4)),
    M("nn.LeakyReLU(0.3)", _ACTIVATION),
    M("nn.ELU(alpha=0.7)", _ACTIVATION),
    M("nn.CELU(2.0)", _ACTIVATION),
    M("nn.GELU(approximate='tanh')", _ACTIVATION),
    M("nn.Softplus(beta=2.0, threshold=1.0)", _ACTIVATION),
    M("nn.Hardtanh()", _STEPS),
    M("nn.Hardtanh(-0.5, 1.5, inplace=False)", _STEPS),
    M("nn.Softshrink(0.3)", _STEPS),
    M("nn.Hardshrink()", _STEPS),
    M("nn.Threshold(0.1, 20.0)", _STEPS),
    M("nn.PReLU(4)", A(2, 4, 3, away=0.1)),
    M("nn.RReLU(0.1, 0.3)", _ACTIVATION, modes="eval"),
    M("nn.RReLU(0.25, 0.25)", _ACTIVATION),
    M("nn.GLU()", A(3, 4)),
    M("nn.GLU(dim=0)", A(4, 3)),
    M("nn.Softmax(dim=1)", A(3, 4)),
    M("nn.Softmin(dim=0)", A(3, 4)),
    M("nn.LogSoftmax(dim=-1)", A(2, 3, 4)),
    M("nn.Softmax2d()", A(2, 3, 2, 2)),
    M("nn.MultiheadAttention(8, 2)", A(3, 2, 8), A(4, 2, 8), A(4, 2, 8)),
    M("nn.MultiheadAttention(4, 2, bias=False, add_zero_attn=True, batch_first=True)", A(2, 3, 4),
      A(2, 5, 4), A(2, 5, 4)),
    M("nn.MultiheadAttention(6, 3, add_bias_kv=True, kdim=4, vdim=5)", A(2, 6), A(3, 4), A(3, 5)),
    # ---- pooling
    M("nn.MaxPool1d(3, stride=2, padding=1)", A(2, 3, 8, distinct=True)),
    M("nn.MaxPool2d(2)", _WELL_APART),
    M("nn.MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0), dilation=(2, 1), ceil_mode=True)",
      _WELL_APART),
    M("nn.MaxPool2d(2, return_indices=True)", _WELL_APART),
    M("nn.MaxPool3d(2, stride=1)", A(1, 2, 3, 3, 3, distinct=True)),
    M("nn.AvgPool1d(3, stride=2, padding=1)", A(2, 3, 8)),
    M("nn.AvgPool2d(2, ceil_mode=True)", A(2, 3, 5, 5)),
    M("nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)", A(3, 5, 5)),
    M("nn.AvgPool2d((2, 3), divisor_override=4)", A(2, 3, 5, 5)),
    M("nn.AvgPool3d(2)", A(1, 2, 4, 2, 3)),
    M("nn.LPPool1d(2, 3)", A(2, 3, 8, low=0.2)),
    M("nn.LPPool2d(3, 2, stride=1, ceil_mode=True)", A(2, 2, 4, 4, low=0.2)),
    M("nn.LPPool3d(2, 2)", A(1, 2, 2, 4, 2, low=0.2)),
    M("nn.AdaptiveAvgPool1d(3)", A(2, 3, 8)),
    M("nn.AdaptiveAvgPool2d((3, None))", A(2, 2, 5, 4)),
    M("nn.AdaptiveAvgPool2d(1)", A(2, 5, 4)),
    M("nn.AdaptiveAvgPool3d((1, 2, 2))", A(1, 2, 3, 4, 3)),
    M("nn.AdaptiveMaxPool1d(3)", A(2, 3, 8, distinct=True)),
    M("nn.AdaptiveMaxPool2d((2, 3), return_indices=True)", _WELL_APART),
    M("nn.AdaptiveMaxPool3d(2)", A(1, 2, 3, 4, 3, distinct=True)),
    # ---- shapes, padding, tables
    M("nn.Flatten()", _IMAGE),
    M("nn.Flatten(0, 1)", _IMAGE),
    M("nn.Unflatten(1, (2, 2))", _IMAGE),
    M("nn.Fold((4, 5), (2, 3), padding=1, stride=2)", A(2, 12, 9)),
    M("nn.Unfold(2, dilation=(1, 2), padding=1)", A(2, 3, 4, 3)),
    M("nn.Upsample(scale_factor=2)", A(2, 2, 3)),
    M("nn.Upsample(size=(5, 4), mode='bilinear')", A(1, 2, 3, 2)),
    M("nn.Upsample(scale_factor=(1.5, 2), mode='bicubic', align_corners=True)", A(1, 1, 4, 3)),
    M("nn.UpsamplingNearest2d(size=3)", A(1, 2, 2, 2)),
    M("nn.UpsamplingBilinear2d(scale_factor=2)", A(1, 2, 2, 3)),
    M("nn.PixelShuffle(2)", A(2, 8, 2, 3)),
    M("nn.PixelUnshuffle(2)", A(2, 1, 4, 6)),
    M("nn.ChannelShuffle(3)", A(2, 6, 2)),
    M("nn.MaxUnpool1d(2)", A(2, 3, 4), PLACES),
    M("nn.MaxUnpool2d(2)", A(2, 1, 2, 2), PLACES_2D),
    M("nn.MaxUnpool3d((1, 2, 2))", A(2, 1, 1, 2, 2), PLACES_3D),
    M("nn.ConstantPad1d((1, 2), 3.5)", A(2, 3, 4)),
    M("nn.ConstantPad2d(1, -1.0)", A(2, 3, 4)),
    M("nn.ConstantPad3d((0, 1, 1, 0, 0, 2), 0.5)", A(1, 2, 2, 2, 2)),
    M("nn.ZeroPad1d(2)", A(2, 3, 4)),
    M("nn.ZeroPad2d((1, -1, 0, 2))", A(1, 2, 3, 3)),
    M("nn.ZeroPad3d(1)", A(2, 2, 2, 2)),
    M("nn.ReflectionPad1d((2, 1))", A(2, 3, 4)),
    M("nn.ReflectionPad2d(1)", A(1, 2, 3, 3)),
    M("nn.ReflectionPad3d((1, 0, 0, 1, 1, 1))", A(1, 2, 2, 2, 3)),
    M("nn.ReplicationPad1d(2)", A(2, 3, 4)),
    M("nn.ReplicationPad2d((1, 0, 2, 1))", A(2, 3, 3)),
    M("nn.ReplicationPad3d(1)", A(1, 2, 2, 1, 2)),
    M("nn.CircularPad1d(2)", A(2, 3, 4)),
    M("nn.CircularPad2d((1, 0, 2, 1))", A(1, 2, 3, 3)),
    M("nn.CircularPad3d(1)", A(1, 2, 2, 2, 2)),
    M("nn.Embedding(10, 3)", I(2, 4)),
    M("nn.Embedding(10, 3, padding_idx=-1)", I(6, low=7, high=10), exact=False),
    M("nn.Embedding(10, 3, max_norm=1.0, norm_type=1.0)", I(5), order=1, exact=False),
    M("nn.Embedding(4, 2, scale_grad_by_freq=True)", I(7, high=4), order=1, exact=False),
    # ---- losses
    M("nn.L1Loss()", A(3, 4), A(3, 4)),
    M("nn.L1Loss(reduction='none')", A(3, 4), A(3, 4)),
    M("nn.MSELoss()", A(3, 4), A(3, 4)),
    M("nn.MSELoss(reduction='sum')", A(3, 4), A(3, 4)),
    M("nn.NLLLoss()", A(3, 4), I(3, high=4)),
    M("nn.NLLLoss(torch.ones(4), ignore_index=2)", A(6, 4, 2), I(6, 2, high=4)),
    M("nn.CrossEntropyLoss()", A(3, 4), I(3, high=4)),
    M("nn.CrossEntropyLoss(weight=torch.ones(4) / 3, label_smoothing=0.1)", A(3, 4),
      I(3, high=4)),
    M("nn.CrossEntropyLoss(reduction='none', ignore_index=1)", A(3, 4, 2), I(3, 2, high=4)),
    M("nn.CrossEntropyLoss(reduction='sum')", A(3, 4), A(3, 4, low=0.0, high=1.0)),
    M("nn.BCELoss()", A(3, 4, low=0.1, high=0.9), C(3, 4, low=0.0, high=1.0)),
    M("nn.BCELoss(weight=torch.ones(4), reduction='none')", A(3, 4, low=0.1, high=0.9),
      C(3, 4, low=0.0, high=1.0)),
    M("nn.BCEWithLogitsLoss()", A(3, 4), C(3, 4, low=0.0, high=1.0)),
    M("nn.SmoothL1Loss(beta=0.7)", A(3, 4), A(3, 4)),
    M("nn.HuberLoss(reduction='sum', delta=0.6)", A(3, 4), A(3, 4)),
    M("nn.KLDivLoss(reduction='batchmean')", A(3, 4), A(3, 4, low=0.1, high=0.9)),
    M("nn.KLDivLoss(reduction='sum', log_target=True)", A(3, 4), A(3, 4)),
    M("nn.HingeEmbeddingLoss(margin=0.7)", A(3, 4), SIGNS),
    M("nn.CosineEmbeddingLoss(0.1)", A(3, 4), A(3, 4), I(3, low=1, high=2)),
    M("nn.MarginRankingLoss(margin=0.3)", A(3, 4), A(3, 4), SIGNS),
    M("nn.SoftMarginLoss(reduction='sum')", A(3, 4), SIGNS),
    M("nn.MultiLabelMarginLoss()", A(3, 4), I(3, 4, low=-1, high=4), order=1),
    M("nn.MultiLabelSoftMarginLoss(torch.ones(4))", A(3, 4), C(3, 4, low=0.0, high=1.0)),
    M("nn.MultiMarginLoss(p=2, margin=0.5)", A(3, 4), I(3, high=4), order=1),
    M("nn.TripletMarginLoss(swap=True)", A(3, 4), A(3, 4), A(3, 4)),
    M("nn.TripletMarginWithDistanceLoss(distance_function=nn.CosineSimilarity(), margin=0.4)",
      A(3, 4), A(3, 4), A(3, 4)),
    M("nn.PoissonNLLLoss(full=True)", A(3, 4), C(3, 4, low=0.0, high=9.0)),
    M("nn.PoissonNLLLoss(log_input=False, eps=0.1)", A(3, 4, low=0.1), C(3, 4, low=0.0)),
    M("nn.GaussianNLLLoss(full=True)", A(3, 4), A(3, 4), A(3, 4, low=0.1)),
    M("nn.CosineSimilarity()", A(3, 4), A(3, 4)),
    M("nn.CosineSimilarity(dim=0, eps=1e-3)", A(3, 2), A(3, 2)),
    M("nn.PairwiseDistance()", A(3, 4), A(3, 4)),
    M("nn.PairwiseDistance(p=1.0, keepdim=True)", A(3, 4), A(3, 4)),
    M("nn.BCEWithLogitsLoss(pos_weight=torch.ones(4), reduction='sum')", A(3, 4),
      C(3, 4, low=0.0, high=1.0)),
]
