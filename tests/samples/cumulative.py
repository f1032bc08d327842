"""Samples of minigrad/ops/cumulative.py."""

from . import A, B, D, I, S, numbered

GAPS = {"distinct": True}


def zeros(*places):
    """Return a maker of numbers with zeros at some places of a 2 x 4 array."""

    def make(rng):
        values = rng.random((2, 4)) + 0.5
        values.reshape(-1)[list(places)] = 0
        return values

    return {"make": make}


SAMPLES = numbered([
    S("cumsum", A(2, 3, 4), 1),
    S("cumsum", A(2, 3), -1),
    S("cumsum", A(), 0),
    S("cumsum", I(2, 3), 0),
    S("cumsum", B(5), 0, covers="cumsum cumsum_back"),
    S("cumsum", I(4), 0, dtype=D("float64")),
    S("cumprod", A(2, 5), 1),
    S("cumprod", A(3, 2, 2), 0),
    S("cumprod", A(), 0),
    S("cumprod", I(3, 3), 0),
    *[S("cumprod", A(2, 4, **zeros(*places)), 1) for places in ((1,), (0, 6), (1, 2, 7))],
    S("prod", A(2, 3)),
    S("prod", A(2, 5, 2), 1),
    S("prod", A(2, 3), -1, True),
    S("prod", A()),
    S("prod", A(2, 0), 1),
    S("prod", I(2, 3, low=1, high=4)),
    S("prod", A(7), 0),
    *[S("prod", A(2, 4, **zeros(*places)), *args) for places in ((1,), (0, 6), (1, 2, 7))
      for args in ((), (1,), (0, True))],
    S("cummax", A(3, 5, **GAPS), 1, covers="cummax add_along repeat_along"),
    S("cummax", A(5, make=lambda rng: [1.0, 3.0, 3.0, 2.0, 4.0]), 0, order=1, smooth=False),
    S("cummin", A(3, 5, **GAPS), 0),
    S("cummax", I(3, 6, high=3), -1),
    S("logcumsumexp", A(2, 5), 1),
    S("logcumsumexp", A(3, 2), 0),
    S("diff", A(2, 4), covers="sub"),
    S("diff", A(4, 3), 2, 0, covers="sub"),
    S("diff", A(2, 4), prepend=A(2, 1), append=A(2, 2), covers="sub"),
    S("diff", B(6), covers="ne"),
])
