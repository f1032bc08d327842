"""Why a name of PyTorch does not exist here: the sentence that asking for it gives.

The names stay absent (`hasattr` is False): the AttributeError only says more than Python's own.
"""

from __future__ import annotations

_COMPLEX = "minigrad has no complex numbers; keep real and imaginary parts as two tensors"
_SPARSE = "minigrad has no sparse tensors; use dense ones, or index_add and embedding_bag"
_QUANTISED = "minigrad has no quantised tensors; use floating point ones"
_DTYPE = ("minigrad has float16, float32, float64, int8, int16, int32, int64, uint8 and bool, no "
          "other dtypes")
_TRACING = "minigrad has no compiler, so there are no symbols and no graph programs"
_DEVICES = "minigrad computes on the CPU only"
_REMOVED = "PyTorch removed it, too: its name raises there; use torch.linalg"

_REASONS = {
    _COMPLEX: """complex complex32 complex64 complex128 cfloat cdouble chalf view_as_real
        view_as_complex view_as_real_copy view_as_complex_copy polar stft istft""",
    _SPARSE: """sparse sparse_coo sparse_csr sparse_csc sparse_bsr sparse_bsc sparse_coo_tensor
        sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor sparse_bsc_tensor
        sparse_compressed_tensor spmm smm hspmm sspaddmm hsmm dsmm saddmm to_sparse to_sparse_coo
        to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc coalesce indices values crow_indices
        col_indices ccol_indices row_indices sparse_mask sparse_resize_ sparse_resize_and_clear_
        resize_as_sparse_ crow_indices_copy col_indices_copy ccol_indices_copy row_indices_copy
        values_copy indices_copy""",
    _QUANTISED: """quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic qint8 quint8
        qint32 quantization ao q_scale q_zero_point int_repr qscheme""",
    _DTYPE: """bfloat16 uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz
        float8_e5m2fnuz hash_tensor""",
    _TRACING: """cond while_loop export fx library sym_int sym_float sym_max sym_min sym_not sym_sum
        sym_ite sym_sqrt SymInt SymFloat SymBool""",
    _DEVICES: "xpu mtia mps accelerator Stream Event to_mkldnn ipu",
    _REMOVED: "eig symeig lstsq solve matrix_rank",
    "minigrad has no Fourier transforms, because it has no complex numbers; numpy.fft takes "
    "tensor.numpy()": "fft",
    "minigrad runs in one process": "distributed multiprocessing futures",
    "minigrad has dense tensors only; pad, or use nn.utils.rnn.PackedSequence": (
        "nested jagged masked to_padded_tensor"),
    "minigrad has no storages of a dtype; use tensor.untyped_storage()": (
        """Storage FloatStorage DoubleStorage HalfStorage LongStorage IntStorage ShortStorage
        CharStorage ByteStorage BoolStorage storage_type"""),
    "minigrad does not measure time per op; use cProfile, or torch.summary for counts": "profiler",
    "minigrad loads nothing from the network": "hub",
}
REASON = {name: reason for reason, names in _REASONS.items() for name in names.split()}

OF_TENSORS = [
    "bfloat16", "ccol_indices", "cdouble", "cfloat", "chalf", "coalesce", "col_indices",
    "crow_indices", "eig", "hash_tensor", "indices", "int_repr", "ipu", "istft", "lstsq",
    "mtia", "q_scale", "q_zero_point", "qscheme", "resize_as_sparse_", "row_indices", "smm",
    "solve", "sparse_mask", "sparse_resize_", "sparse_resize_and_clear_", "sspaddmm", "stft",
    "storage_type", "symeig", "to_mkldnn", "to_padded_tensor", "to_sparse",
    "to_sparse_bsc", "to_sparse_bsr", "to_sparse_coo", "to_sparse_csc", "to_sparse_csr",
    "values", "xpu",
]


def sentence(owner: str, name: str) -> str:
    """Return the message of the AttributeError for a name that does not exist.

    >>> sentence("'Tensor' object", "to_sparse")
    "'Tensor' object has no attribute 'to_sparse': minigrad has no sparse tensors; use ..."
    """
    reason = REASON.get(name)
    return f"{owner} has no attribute {name!r}" + (f": {reason}" if reason else "")


class Absent:
    """A name that a class does not have: looking it up says why (`hasattr` is False)."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> None:
        raise AttributeError(sentence(f"{owner.__name__!r} object", self.name))
