"""The Transformer: encoder, decoder, and both together (the layers: `_transformer_layer.py`)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..._check import member, tensors
from ..._device import to_device
from ..._dtype import dtype as DType
from ..._dtype import get_default_dtype, to_dtype
from ..._random import Generator
from ...engine import wrap
from ...ops.multihead import canonical_mask
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ._make import initialise
from ._transformer_layer import TransformerDecoderLayer, TransformerEncoderLayer
from .container import ModuleList
from .module import Module
from .normalization import LayerNorm

__all__ = ["Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
           "TransformerEncoderLayer"]


def _clones(layer: Module, count: int) -> ModuleList:
    """Return copies of a layer, which go on drawing from one and the same `generator`."""
    member(layer, "modules", "Transformer", "layer", "a module")
    shared = [getattr(module, "generator", None) for module in layer.modules()]
    return ModuleList([copy.deepcopy(layer, {id(g): g for g in shared if g is not None})
                       for _ in range(count)])


def _causal_mask(size: int, device: Any = None, dtype: DType | None = None) -> Tensor:
    """Return (size, size) numbers to add: 0 up to the diagonal, -inf beyond (bool: True beyond)."""
    to_device(device)
    kind = (get_default_dtype() if dtype is None else to_dtype(dtype)).numpy
    if kind.kind not in "bfc":
        raise RuntimeError(f"generate_square_subsequent_mask: -inf cannot be converted to {dtype} "
                           f"without overflow; take bool or a floating dtype")
    beyond = np.triu(np.ones((size, size), bool), 1)
    return wrap(np.where(beyond, -np.inf, 0).astype(kind) if kind.kind != "b" else beyond, None)


def _is_causal(mask: Tensor | None, given: bool | None, size: int | None) -> bool:
    """Return the hint that was given; without one, tell whether the mask is the causal one."""
    if given is not None or mask is None:
        return given is True
    expected = _causal_mask(mask.size(-2) if size is None else size, dtype=mask.dtype)
    return mask.shape == expected.shape and bool((mask == expected).all())


def _length(x: Tensor, batch_first: bool) -> int:
    return x.shape[1 if batch_first and x.ndim == 3 else 0]


def _refusal(layer: Any) -> str:
    """Say what keeps PyTorch from computing an encoder of such layers on nested tensors."""
    if not isinstance(layer, TransformerEncoderLayer):
        return "encoder_layer was not TransformerEncoderLayer"
    attention: Any = layer.self_attn
    for found, text in (
            (layer.norm_first, "norm_first was True"),
            (not attention.batch_first, "self_attn.batch_first was not True"
                                        "(use batch_first for better inference performance)"),
            (not attention._qkv_same_embed_dim, "self_attn._qkv_same_embed_dim was not True"),
            (attention.in_proj_bias is None, "self_attn was passed bias=False"),
            (not layer.activation_relu_or_gelu, "activation_relu_or_gelu was not True"),
            (layer.norm1.eps != layer.norm2.eps,
             "norm1.eps was not equal to encoder_layer.norm2.eps"),
            (attention.num_heads % 2 == 1, "self_attn.num_heads is odd")):
        if found:
            return f"encoder_layer.{text}"
    return ""


class TransformerEncoder(Module):
    """Apply a stack of encoder layers, then a norm.

    Args: encoder_layer: it is copied num_layers times, values included; norm None: applied at the
    end; enable_nested_tensor True, mask_check True: PyTorch's switches of a faster inference on
    nested tensors. minigrad has none: the first decides only whether the constructor warns, as
    PyTorch does, that the layer could not use it, and results are those of training mode.
    Shape: src as the layer takes it, (S, N, E), (N, S, E) or (S, E) -> the same.
    The copies start with equal weights: train them, or draw new ones for each.

    >>> import minigrad as torch
    >>> layer = torch.nn.TransformerEncoderLayer(8, 2, batch_first=True)
    >>> encoder = torch.nn.TransformerEncoder(layer, num_layers=2)
    >>> encoder(torch.rand(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    norm: Module | None
    layers: ModuleList

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        super().__init__()
        self.layers = _clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = self.use_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        why = _refusal(encoder_layer)
        if enable_nested_tensor and why:
            warnings.warn(f"enable_nested_tensor is True, but self.use_nested_tensor is False "
                          f"because {why}", stacklevel=2)
            self.use_nested_tensor = False

    def forward(self, src: Tensor, mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None,
                is_causal: bool | None = None) -> Tensor:
        """Return the encoded sequence.

        mask (S, S) or (N * nhead, S, S), src_key_padding_mask (N, S): True or -inf where not to
        look; is_causal: a promise that `mask` is the causal one (None: look whether it is).
        """
        src_key_padding_mask = canonical_mask(src_key_padding_mask, "src_key_padding_mask",
                                              src.dtype, mask, "mask")
        mask = canonical_mask(mask, "mask", src.dtype)
        first: Any = self.layers[0]
        causal = _is_causal(mask, is_causal, _length(src, first.self_attn.batch_first))
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=causal,
                        src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Apply a stack of decoder layers, then a norm.

    Args: decoder_layer: it is copied num_layers times, values included; norm None: applied at the
    end. Shape: tgt (T, N, E) or (N, T, E) with batch_first, memory (S, N, E) -> tgt's; or without
    N.

    >>> import minigrad as torch
    >>> layer = torch.nn.TransformerDecoderLayer(8, 2)
    >>> decoder = torch.nn.TransformerDecoder(layer, num_layers=2)
    >>> decoder(torch.rand(4, 3, 8), torch.rand(5, 3, 8)).shape
    torch.Size([4, 3, 8])
    """

    norm: Module | None
    layers: ModuleList

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Tensor:
        """Return the decoded sequence. The masks: see TransformerDecoderLayer.forward."""
        first: Any = self.layers[0]
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, first.self_attn.batch_first))
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                        tgt_key_padding_mask=tgt_key_padding_mask,
                        memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
                        memory_is_causal=memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encode a source sequence and decode a target sequence that attends to it.

    Vaswani et al., "Attention is all you need", 2017; without embeddings and position codes.

    Args: d_model 512; nhead 8, divides d_model; num_encoder_layers, num_decoder_layers 6;
    dim_feedforward 2048; dropout 0.1; activation F.relu: 'relu', 'gelu' or a function;
    custom_encoder, custom_decoder None: modules instead of the usual ones; layer_norm_eps 1e-5;
    batch_first False; norm_first False: norms before the blocks, not after; bias True;
    device, dtype: see Linear; generator: first values and every dropout.
    Shape: src (S, N, d_model), tgt (T, N, d_model) -> (T, N, d_model); (N, S, d_model) with
    batch_first; without N for one sample.
    RuntimeError: batches or features that differ.
    Give `tgt_mask=generate_square_subsequent_mask(T)` when training: else each position sees what
    it is to predict. dropout is 0.1 unless you say otherwise, and batch_first is False.

    >>> import minigrad as torch
    >>> model = torch.nn.Transformer(8, 2, 1, 1, dim_feedforward=16, batch_first=True)
    >>> src, tgt = torch.rand(3, 5, 8), torch.rand(3, 4, 8)
    >>> model(src, tgt, tgt_mask=model.generate_square_subsequent_mask(4)).shape
    torch.Size([3, 4, 8])
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
                 num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable[[Tensor], Tensor] = F.relu,
                 custom_encoder: Any | None = None, custom_decoder: Any | None = None,
                 layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None,
                 dtype: DType | None = None, *, generator: Generator | None = None) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        layer_options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                         batch_first, norm_first, bias)
        norm = lambda: LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        if custom_encoder is None:
            encoder = TransformerEncoderLayer(*layer_options, **options, generator=generator)
            custom_encoder = TransformerEncoder(encoder, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            decoder = TransformerDecoderLayer(*layer_options, **options, generator=generator)
            custom_decoder = TransformerDecoder(decoder, num_decoder_layers, norm())
        self.decoder = custom_decoder
        initialise(self._reset_parameters, generator)
        self.d_model, self.nhead = d_model, nhead
        self.batch_first = batch_first

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None,
                tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Tensor:
        """Return the decoded sequence.

        src_mask (S, S), tgt_mask (T, T), memory_mask (T, S), or 3-d with N * nhead first; the
        padding masks (N, S), (N, T), (N, S): True or -inf where not to look. The hints
        `*_is_causal` promise that a mask is the causal one (None: look whether it is).
        """
        tensors("Transformer", src=src, tgt=tgt)
        at = 0 if self.batch_first else 1
        if src.ndim == 3 and src.size(at) != tgt.size(at):
            raise RuntimeError(f"the batch number of src and tgt must be equal (dim {at}), got "
                               f"{tuple(src.shape)} and {tuple(tgt.shape)}")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError(f"the feature number of src and tgt must be equal to d_model "
                               f"{self.d_model}, got {tuple(src.shape)} and {tuple(tgt.shape)}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask,
                              is_causal=src_is_causal)
        return self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                            tgt_key_padding_mask=tgt_key_padding_mask,
                            memory_key_padding_mask=memory_key_padding_mask,
                            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None,
                                        dtype: DType | None = None) -> Tensor:
        """Return the causal mask (sz, sz) to add: position i may attend to 0 ... i.

        >>> import minigrad as torch
        >>> torch.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return _causal_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        """Draw new values for all matrices: Xavier's uniform ones (Glorot and Bengio, 2010)."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)
