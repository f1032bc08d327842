"""The layers of a Transformer's encoder and decoder (in PyTorch they are in transformer.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._random import Generator
from ...ops.multihead import canonical_mask
from ...tensor import Tensor
from .. import functional as F
from ._attention import MultiheadAttention
from .activation import GELU, ReLU
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

Activation = Callable[[Tensor], Tensor]


def _function(activation: str | Activation) -> Activation:
    """Return the activation that a name means."""
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}; pass a function for "
                           f"any other")
    return getattr(F, activation)


class _Layer(Module):
    """Base of both layers: attention blocks, then a feed-forward block, each added to its input."""

    blocks: int  # attention blocks; one dropout and one norm for each, and for the feed-forward
    activation: Activation

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Activation = F.relu, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype, "bias": bias}
        for name in ("self_attn", "multihead_attn")[:self.blocks]:
            setattr(self, name, MultiheadAttention(
                d_model, nhead, dropout=dropout, batch_first=batch_first, generator=generator,
                **options))
        self.linear1 = Linear(d_model, dim_feedforward, generator=generator, **options)
        self.dropout = Dropout(dropout, generator=generator)
        self.linear2 = Linear(dim_feedforward, d_model, generator=generator, **options)
        self.norm_first = norm_first
        for k in range(1, self.blocks + 2):
            setattr(self, f"norm{k}", LayerNorm(d_model, eps=layer_norm_eps, **options))
        for k in range(1, self.blocks + 2):
            setattr(self, f"dropout{k}", Dropout(dropout, generator=generator))
        self.activation = _function(activation)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not hasattr(self, "activation"):  # files of old versions have none
            self.activation = F.relu

    def _around(self, x: Tensor, norm: Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        """Return x + block(norm(x)) if `norm_first`, else norm(x + block(x))."""
        return x + block(norm(x)) if self.norm_first else norm(x + block(x))

    def _attend(self, attention: Any, dropout: Module, x: Tensor, memory: Tensor,
                mask: Tensor | None, padding: Tensor | None, causal: bool) -> Tensor:
        y = attention(x, memory, memory, attn_mask=mask, key_padding_mask=padding,
                      need_weights=False, is_causal=causal)[0]
        return dropout(y)

    def _feed(self, x: Tensor) -> Tensor:
        last: Module = getattr(self, f"dropout{self.blocks + 1}")
        return last(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoderLayer(_Layer):
    """Apply self-attention, then a feed-forward net of two layers, each with residual and norm.

    x = norm1(x + attention(x)); x = norm2(x + linear2(act(linear1(x)))). With norm_first:
    x = x + attention(norm1(x)); x = x + linear2(act(linear1(norm2(x)))), which is easier to train
    (Xiong et al., "On layer normalization in the Transformer architecture", 2020).
    Vaswani et al., "Attention is all you need", 2017.

    Args: d_model; nhead: divides d_model (AssertionError); dim_feedforward 2048; dropout 0.1: of
    attention weights, hidden units and both blocks; activation F.relu: 'relu', 'gelu' (others:
    RuntimeError) or a function; layer_norm_eps 1e-5; batch_first False; norm_first False; bias
    True: in all linear layers and norms; device, dtype: see Linear; generator: first values and
    dropout. Shape: src (S, N, d_model), or (N, S, d_model) with batch_first, or (S, d_model) ->
    the same.
    PyTorch's eval mode without gradients computes padded positions in another way, see
    docs/attention.md.

    >>> import minigrad as torch
    >>> layer = torch.nn.TransformerEncoderLayer(d_model=8, nhead=2, batch_first=True)
    >>> layer(torch.rand(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    blocks = 1
    self_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Activation = F.relu, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                         batch_first, norm_first, bias, device, dtype, generator=generator)
        relu = self.activation is F.relu or isinstance(self.activation, ReLU)
        gelu = self.activation is F.gelu or isinstance(self.activation, GELU)
        self.activation_relu_or_gelu = 1 if relu else 2 if gelu else 0

    def forward(self, src: Tensor, src_mask: Tensor | None = None,
                src_key_padding_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """Return the layer's output.

        src_mask (S, S) or (N * nhead, S, S), src_key_padding_mask (N, S): True or -inf where not to
        look; is_causal: a promise that src_mask is the causal mask, which must be given as well.
        """
        src_key_padding_mask = canonical_mask(src_key_padding_mask, "src_key_padding_mask",
                                              src.dtype, src_mask, "src_mask")
        src_mask = canonical_mask(src_mask, "src_mask", src.dtype)
        x = self._around(src, self.norm1, lambda x: self._attend(
            self.self_attn, self.dropout1, x, x, src_mask, src_key_padding_mask, is_causal))
        return self._around(x, self.norm2, self._feed)


class TransformerDecoderLayer(_Layer):
    """Apply self-attention, attention to the encoder's output, and a feed-forward net.

    x = norm1(x + attention(x, x)); x = norm2(x + attention(x, memory)); x = norm3(x +
    linear2(act(linear1(x)))); with norm_first the norms come before the blocks.

    Args: see TransformerEncoderLayer. Shape: tgt (T, N, d_model), memory (S, N, d_model), or
    (N, T, d_model), (N, S, d_model) with batch_first, or without N -> tgt's.

    >>> import minigrad as torch
    >>> layer = torch.nn.TransformerDecoderLayer(d_model=8, nhead=2)
    >>> layer(torch.rand(4, 3, 8), torch.rand(5, 3, 8)).shape
    torch.Size([4, 3, 8])
    """

    blocks = 2
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    norm3: LayerNorm
    dropout1: Dropout
    dropout2: Dropout
    dropout3: Dropout

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
                memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Tensor:
        """Return the layer's output.

        tgt_mask (T, T), memory_mask (T, S), or 3-d with N * nhead first; the padding masks (N, T)
        and (N, S): True or -inf where not to look; the hints promise that the mask is causal.
        """
        x = self._around(tgt, self.norm1, lambda x: self._attend(
            self.self_attn, self.dropout1, x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self._around(x, self.norm2, lambda x: self._attend(
            self.multihead_attn, self.dropout2, x, memory, memory_mask, memory_key_padding_mask,
            memory_is_causal))
        return self._around(x, self.norm3, self._feed)
