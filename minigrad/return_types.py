"""The named tuples that ops with several results return, as `torch.return_types`."""

from __future__ import annotations

from typing import Any


class ReturnType(tuple[Any, ...]):
    """Base: a tuple whose items have names, printed one per line."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    @property
    def n_fields(self) -> int:
        """The number of items."""
        return len(self._fields)

    def __getattr__(self, name: str) -> Any:
        if name in self._fields:
            return self[self._fields.index(name)]
        raise AttributeError(f"'torch.return_types.{type(self).__name__}' object has no attribute "
                             f"'{name}'; it has {', '.join(self._fields)}")

    def __repr__(self) -> str:
        items = ",\n".join(f"{name}={value!r}" for name, value in
                           zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{items})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


def _named(name: str, *fields: str) -> type[ReturnType]:
    made = type(name, (ReturnType,), {"__slots__": (), "_fields": fields})
    made.__module__ = __name__
    made.__doc__ = f"The result of `{name.replace('_', '.', 1)}`: {', '.join(fields)}."
    return made


max = _named("max", "values", "indices")
min = _named("min", "values", "indices")
aminmax = _named("aminmax", "min", "max")
median = _named("median", "values", "indices")
nanmedian = _named("nanmedian", "values", "indices")
mode = _named("mode", "values", "indices")
kthvalue = _named("kthvalue", "values", "indices")
cummax = _named("cummax", "values", "indices")
cummin = _named("cummin", "values", "indices")
sort = _named("sort", "values", "indices")
topk = _named("topk", "values", "indices")
slogdet = _named("slogdet", "sign", "logabsdet")
qr = _named("qr", "Q", "R")
svd = _named("svd", "U", "S", "V")
histogram = _named("histogram", "hist", "bin_edges")
histogramdd = _named("histogramdd", "hist", "bin_edges")
frexp = _named("frexp", "mantissa", "exponent")
linalg_cholesky_ex = _named("linalg_cholesky_ex", "L", "info")
geqrf = _named("geqrf", "a", "tau")
linalg_eigh = _named("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_inv_ex = _named("linalg_inv_ex", "inverse", "info")
linalg_lstsq = _named("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
linalg_lu = _named("linalg_lu", "P", "L", "U")
linalg_lu_factor = _named("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _named("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_qr = _named("linalg_qr", "Q", "R")
linalg_solve_ex = _named("linalg_solve_ex", "result", "info")
lu_unpack = _named("lu_unpack", "P", "L", "U")
triangular_solve = _named("triangular_solve", "solution", "cloned_coefficient")
linalg_slogdet = _named("linalg_slogdet", "sign", "logabsdet")
linalg_svd = _named("linalg_svd", "U", "S", "Vh")
