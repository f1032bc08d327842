"""Samples of minigrad/ops/norm.py, response_norm.py, dropout.py and distance.py."""

from . import A, C, S, numbered

F = "nn.functional."
POSITIVE = {"low": 0.5, "high": 2.0}

SAMPLES = numbered([
    S(F + "batch_norm", A(4, 3), None, None, A(3), A(3), True),
    S(F + "batch_norm", A(2, 3, 4), None, None, A(3), A(3), True),
    S(F + "batch_norm", A(2, 2, 3, 2), None, None, training=True),
    S(F + "batch_norm", A(2, 2, 2, 1, 3), None, None, A(2), training=True),
    S(F + "batch_norm", A(3, 2), None, None, A(2), A(2), training=True, eps=0.5),
    S(F + "batch_norm", A(4, 3), C(3), C(3, **POSITIVE), A(3), A(3), covers="frozen_norm"),
    S(F + "batch_norm", A(2, 3, 2, 2), C(3), C(3, **POSITIVE), covers="frozen_norm"),
    S(F + "batch_norm", A(1, 3), C(3), C(3, **POSITIVE), A(3), eps=0.1, covers="frozen_norm"),
    S(F + "instance_norm", A(2, 3, 4), covers="group_norm"),
    S(F + "instance_norm", A(2, 2, 2, 3), None, None, A(2), A(2), covers="group_norm"),
    S(F + "instance_norm", A(2, 2, 3), C(2), C(2, **POSITIVE), A(2), A(2), False,
      covers="frozen_norm"),
    S(F + "group_norm", A(2, 4, 3), 2, A(4), A(4)),
    S(F + "group_norm", A(2, 6), 3),
    S(F + "group_norm", A(1, 3, 2, 2), 1, A(3), A(3), 0.1),
    S(F + "layer_norm", A(2, 3), (3,), A(3), A(3)),
    S(F + "layer_norm", A(2, 3, 4), (3, 4), A(3, 4), A(3, 4), 0.1),
    S(F + "layer_norm", A(2, 2, 4), (4,)),
    S(F + "rms_norm", A(2, 3), (3,), A(3)),
    S(F + "rms_norm", A(2, 3, 4), (3, 4), A(3, 4), 0.1),
    S(F + "local_response_norm", A(2, 4, 3), 2, 0.5, covers="constant_pad"),
    S(F + "local_response_norm", A(1, 5, 2, 2), 3, 0.5, 1.5, 2.0, covers="constant_pad"),
    S(F + "normalize", A(2, 3, away=0.2), covers="vector_norm"),
    S(F + "normalize", A(2, 3, away=0.2), 3.0, 0, covers="vector_norm"),
    S(F + "dropout", A(3), 0.0, covers="dropout"),
    S(F + "dropout", A(3), 1.0, covers="dropout"),
    S(F + "dropout2d", A(2, 2, 2, 2), 1.0, covers="feature_dropout"),
    S(F + "dropout1d", A(3, 4), 1.0, covers="feature_dropout"),
    S(F + "alpha_dropout", A(3), 1.0, True, covers="alpha_dropout"),
    S(F + "dropout", A(3), 0.5, False, covers="dropout"),
    S(F + "cosine_similarity", A(2, 3), A(2, 3), covers="vector_norm"),
    S(F + "cosine_similarity", A(2, 3), A(2, 3), 0, covers="vector_norm"),
])
