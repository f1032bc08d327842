"""Samples of minigrad/ops/loss.py, cross_entropy.py, embedding.py and attention.py."""

from . import A, Array, B, C, I, S, numbered

F = "nn.functional."
SHARE = {"low": 0.1, "high": 0.9}
REDUCTIONS = ("mean", "sum", "none")
CLASSES = "class_cross_entropy"


def given(*values, shape=None):
    """An int64 tensor with these values."""
    import numpy as np

    return Array(shape or (len(values),), kind="i", grad=False,
                 make=lambda rng: np.array(values, np.int64).reshape(shape or (len(values),)))


TWO = given(0, 4, 2, -100)
DEEP = given(0, 4, 2, 1, -100, 3, shape=(2, 3))
IMAGE = given(0, 4, 2, 1, -100, 3, 1, 1, shape=(2, 2, 2))

SAMPLES = numbered([
    *[S(F + "cross_entropy", A(4, 5), TWO, reduction=r, covers=CLASSES) for r in REDUCTIONS],
    *[S(F + "cross_entropy", A(2, 5, 3), DEEP, reduction=r, covers=CLASSES) for r in REDUCTIONS],
    *[S(F + "cross_entropy", A(4, 5), TWO, C(5, **SHARE), reduction=r, label_smoothing=0.2,
        covers=CLASSES) for r in REDUCTIONS],
    S(F + "cross_entropy", A(2, 5, 2, 2), IMAGE, C(5, **SHARE), covers=CLASSES),
    S(F + "cross_entropy", A(2, 5, 2, 2), IMAGE, reduction="none", label_smoothing=0.1,
      covers=CLASSES),
    S(F + "cross_entropy", A(5), I(high=5), covers=CLASSES),
    S(F + "cross_entropy", A(5), I(high=5), C(5, **SHARE), reduction="sum", label_smoothing=0.2,
      covers=CLASSES),
    S(F + "cross_entropy", A(3, 5), I(3, high=5), ignore_index=2, label_smoothing=0.1,
      covers=CLASSES),
    *[S(F + "cross_entropy", A(4, 3), A(4, 3, **SHARE), reduction=r, covers="divided")
      for r in REDUCTIONS],
    S(F + "cross_entropy", A(2, 3, 2), A(2, 3, 2, **SHARE), A(3, **SHARE), label_smoothing=0.3,
      covers="divided"),
    S(F + "cross_entropy", A(3), A(3, **SHARE), covers="divided"),
    *[S(F + "nll_loss", A(4, 5), TWO, reduction=r) for r in REDUCTIONS],
    S(F + "nll_loss", A(4, 5), TWO, C(5, **SHARE)),
    S(F + "nll_loss", A(2, 5, 3), DEEP, reduction="none"),
    S(F + "nll_loss", A(2, 5, 2, 2), IMAGE),
    S(F + "nll_loss", A(5), I(high=5)),
    *[S(F + name, A(2, 3), A(2, 3, low=2.1, high=2.9), reduction=r)
      for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss") for r in REDUCTIONS],
    *[S(F + name, A(2, 3, low=0.1, high=0.4), A(2, 3, low=-0.4, high=-0.1))
      for name in ("smooth_l1_loss", "huber_loss")],
    S(F + "smooth_l1_loss", A(3), A(3, low=3.0, high=4.0), beta=0.5),
    S(F + "smooth_l1_loss", A(3), A(3, low=3.0, high=4.0), beta=0.0, covers="abs"),
    S(F + "huber_loss", A(3), A(3, low=3.0, high=4.0), delta=0.7, weight=A(3)),
    S(F + "mse_loss", A(2, 3), A(3)),
    S(F + "mse_loss", A(2, 3), A(2, 3), weight=A(2, 3, **SHARE), covers="pow"),
    S(F + "l1_loss", A(3), A(3, low=3.0, high=4.0), weight=A(3, **SHARE), covers="abs"),
    *[S(F + "binary_cross_entropy", A(2, 3, **SHARE), A(2, 3, **SHARE), reduction=r)
      for r in REDUCTIONS],
    S(F + "binary_cross_entropy", A(2, 3, **SHARE), A(2, 3, **SHARE), C(3)),
    *[S(F + "binary_cross_entropy_with_logits", A(2, 3), A(2, 3, **SHARE), reduction=r,
        covers="logits_loss") for r in REDUCTIONS],
    S(F + "binary_cross_entropy_with_logits", A(2, 3), A(2, 3, **SHARE), C(3),
      pos_weight=C(3, **SHARE), covers="logits_loss"),
    *[S(F + "kl_div", A(2, 3), A(2, 3, **SHARE), reduction=r, covers="xlogy")
      for r in (*REDUCTIONS, "batchmean")],
    S(F + "kl_div", A(2, 3), A(2, 3), log_target=True, covers="xlogy"),
    S(F + "embedding", I(2, 3, high=4), A(4, 3), covers="embedding spread gather"),
    S(F + "embedding", I(2, 3, high=4), A(4, 3), 1, covers="embedding spread gather",
      smooth=False),
    S(F + "embedding", I(6, high=3), A(3, 2), scale_grad_by_freq=True,
      covers="embedding spread gather", smooth=False),
    S(F + "one_hot", I(4, high=3), 5, covers="eq"),
    S(F + "scaled_dot_product_attention", A(3, 2, 4), A(3, 5, 4), A(3, 5, 2), covers="attention"),
    S(F + "scaled_dot_product_attention", A(1, 2, 3, 2), A(1, 2, 4, 2), A(1, 2, 4, 2),
      covers="attention", torch_order=1),
    S(F + "scaled_dot_product_attention", A(3, 2), A(3, 2), A(3, 2), is_causal=True,
      covers="attention"),
    S(F + "scaled_dot_product_attention", A(2, 3, 2), A(2, 4, 2), A(2, 4, 2), A(3, 4), scale=0.7,
      covers="attention"),
    S(F + "scaled_dot_product_attention", A(2, 3, 2), A(2, 4, 2), A(2, 4, 2), B(3, 4),
      covers="attention"),
    *[S(F + "cross_entropy", A(4, 5), given(0, 4, 2, 4), reduction=r,
        covers="class_cross_entropy row_cross_entropy") for r in REDUCTIONS],
])
