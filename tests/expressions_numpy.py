"""Expressions of tensors and NumPy together: what stands before the last `;` runs first."""

NUMBERS = ["np.float64(2)", "np.float32(2)", "np.int64(2)", "np.int8(2)", "np.uint8(2)",
           "np.float16(0.5)"]
TENSORS = ["torch.tensor([1., 2.])", "torch.tensor([1, 2])", "torch.tensor(3.)",
           "torch.tensor([True, False])", "torch.tensor([1., 2.], requires_grad=True)",
           "torch.tensor([1., 2.], dtype=torch.float64)"]
SYMBOLS = ["+", "-", "*", "/", "//", "%", "**", "==", "<", ">=", "&", "@"]

# Arrays and np.bool_ in operators differ from PyTorch on purpose: see test_numpy.py.
OPERATORS = [f"t = {t}; t {s} {a}" for t in TENSORS for s in SYMBOLS for a in NUMBERS]
SWAPPED = [f"t = {t}; {a} {s} t" for t in TENSORS for s in SYMBOLS for a in NUMBERS
           if (s, "grad" in t) != ("%", True)]
IN_PLACE = [f"t = {t}; t {s}= {a}; t" for t in TENSORS[:4] for s in ("+", "-", "*", "/")
            for a in NUMBERS]

TO_ARRAYS = [f"t = {t}; {call}" for t in [*TENSORS, "torch.ones(2, 3).t()", "torch.zeros(0)"]
             for call in (
    "np.asarray(t)", "np.array(t)", "np.array(t, dtype=np.float32)", "np.asarray(t, dtype='i4')",
    "np.array(t, copy=True)", "np.asarray(t, np.float64)", "t.numpy()", "t.numpy(force=True)",
    "t.__array__()", "t.__array__(np.float64)", "np.asarray([t, t])", "np.array([t[0], t[1]])",
    "np.shape(t)", "np.ndim(t)", "t.detach().numpy()", "np.stack([t, t])",
    "np.concatenate([t, t])", "np.ones(2)[t]", "list(t)", "[float(x) for x in t]", "len(t)",
    "np.testing.assert_allclose(t, np.asarray(t))", "np.allclose(t, t)", "np.array_equal(t, t)",
    "np.may_share_memory(t.numpy(), t.numpy())", "float(t)", "int(t)", "bool(t)", "complex(t)",
    "range(3)[t]", "[10, 20, 30, 40][t]", "format(t, '.2f')", "f'{t:5}'", "f'{t}'", "round(t)",
    "round(t, 1)", "t.__index__()", "hash(t) == hash(t)", "max(t)", "sum(t)", "sorted(t)",
    "t.tolist()", "divmod(t, 2)", "t.item()", "math.floor(t)", "math.sqrt(t)", "reversed(t)",
    "np.float64(t)", "np.int64(t)", "np.isscalar(t)", "iter(t).__next__()", "t in [t]", "3 in t",
    "np.reshape(t, (-1, 1))", "np.transpose(t)",
    "np.where(t > 1, t, 0)", "np.clip(t, 0, 1)", "np.dot(t, t)", "np.matmul(t, t)",
    "np.argmax(t)", "np.cumsum(t)", "np.broadcast_to(t, (2, 2))", "np.squeeze(t)",
    "np.expand_dims(t, 0)", "np.zeros_like(t)", "np.linspace(t, t, 2)", "np.copy(t)",
    "np.sort(t)", "np.unique(t)", "np.std(t)", "np.round(t)", "np.ravel(t)")]
UFUNCS = [f"t = {t}; np.{name}(t)" for t in TENSORS for name in (
    "sin", "exp", "sqrt", "abs", "negative", "floor", "sign", "invert",
    "square", "log", "modf", "frexp")] + [
    f"t, a = {t}, {a}; np.{name}(t, a)" for t in TENSORS for name in (
        "add", "multiply", "maximum", "power", "arctan2", "matmul")
    for a in ("t", "np.ones(2)", "2")] + [
    f"t, a = {t}, {a}; np.{name}(a, t)" for t in TENSORS[:2] for name in ("add", "subtract")
    for a in ("np.ones(2)", "2")] + [
    "t = torch.tensor([1., 2.]); np.add.reduce(t)",
    "t = torch.tensor([1., 2.]); np.add.outer(t, t)",
    "t = torch.tensor([1., 2.]); a = np.zeros(2, np.float32); np.add(t, t, out=a); a",
    "t = torch.tensor([1., 2.]); np.sin(t, dtype=np.float64)",
    "t = torch.ones(2, requires_grad=True); np.sin(t.detach())"]

FROM_ARRAYS = [f"a = {a}; {call}" for a in (
    "np.arange(3.)", "np.arange(3)", "np.arange(6, dtype=np.float32).reshape(2, 3).T",
    "np.array(5)", "np.zeros((2, 0))", "np.array([True, False])", "np.arange(4, dtype=np.int8)",
    "np.arange(4, dtype=np.uint8)", "np.arange(4, dtype=np.int16)",
    "np.arange(4, dtype=np.float16)",
    "np.arange(6.)[::2]", "np.broadcast_to(np.float32(1), (2, 2))") for call in (
    "torch.from_numpy(a)", "torch.as_tensor(a)", "torch.tensor(a)", "torch.asarray(a)",
    "torch.Tensor(a)", "torch.tensor(a, dtype=torch.float64)",
    "torch.as_tensor(a, dtype=torch.int32)",
    "torch.from_numpy(a.copy()).data_ptr() == 0", "torch.from_numpy(a).stride()",
    "t = torch.from_numpy(a); t.is_contiguous()", "torch.tensor([a, a])",
    "torch.tensor(list(a.flat))",
    "np.shares_memory(torch.as_tensor(a).numpy(), a)",
    "np.shares_memory(torch.tensor(a).numpy(), a)",
    "np.shares_memory(torch.asarray(a, copy=True).numpy(), a)",
    "torch.from_numpy(a).numpy().dtype", "torch.ones(1) * torch.from_numpy(a)")]
REFUSED = ["torch.from_numpy(np.arange(3)[::-1])", "torch.tensor(np.arange(3)[::-1])",
           "torch.as_tensor(np.arange(3)[::-1])", "torch.from_numpy([1, 2])",
           "torch.from_numpy(np.float64(1))", "torch.from_numpy(np.array(['a']))",
           "torch.from_numpy(np.array([object()]))", "torch.from_numpy(np.array([1], '>f4'))",
           "torch.from_numpy(np.zeros(2, 'datetime64[s]'))", "torch.tensor(np.array(['a']))",
           "torch.as_tensor(np.array(['a']))", "torch.from_numpy(np.zeros(2, [('a', 'f4')]))",
           "torch.from_numpy(torch.ones(2))", "torch.from_numpy()", "torch.from_numpy(None)",
           "torch.tensor(np.array([1], 'g'))", "torch.from_numpy(np.zeros(3, 'V4'))",
           "torch.tensor(np.array([1, 'a'], object))", "torch.tensor([np.ones(2), np.ones(3)])",
           "torch.as_tensor('abc')", "torch.asarray(None)", "torch.tensor({1: 2})",
           "torch.as_tensor(np.ma.array([1, 2], mask=[True, False]))",
           "a = np.arange(3.); a.flags.writeable = False; torch.from_numpy(a)",
           "a = np.arange(3.); a.flags.writeable = False; torch.as_tensor(a)",
           "a = np.arange(3.); a.flags.writeable = False; torch.tensor(a)",
           "torch.tensor([1., 2.], requires_grad=True).numpy()", "torch.ones(2).numpy(1)",
           "np.asarray(torch.ones(2, requires_grad=True) * 2)", "torch.ones(2).numpy(force=1)",
           "torch.ones(2, requires_grad=True).tolist()", "torch.ones(2).numpy().dtype"]
SHARED = ["a = np.arange(3.); t = torch.from_numpy(a); a[0] = 7; t",
          "a = np.arange(3.); t = torch.from_numpy(a); t[0] = 7; a",
          "a = np.arange(3.); t = torch.tensor(a); a[0] = 7; t",
          "a = np.arange(3.); t = torch.as_tensor(a, dtype=torch.float32); a[0] = 7; t",
          "t = torch.zeros(3); t.numpy()[1] = 5; t", "t = torch.zeros(3); np.asarray(t)[1] = 5; t",
          "t = torch.zeros(3); np.array(t)[1] = 5; t",
          "t = torch.zeros(2, 2); t.t().numpy()[0, 1] = 5; t",
          "t = torch.zeros(3); t.numpy(force=True)[1] = 5; t",
          "t = torch.zeros(3, requires_grad=True); t.numpy(force=True)[1] = 5; t",
          "t = torch.zeros(3); a = t.numpy(); a += 1; t",
          "t = torch.zeros(3).expand(2, 3); t.numpy()",
          "t = torch.from_numpy(np.arange(3.)).requires_grad_(); (t * 2).sum().backward(); t.grad",
          "t = torch.zeros(2); u = torch.from_dlpack(t); u[0] = 3; t",
          "a = np.zeros(2); t = torch.from_dlpack(a); t[0] = 3; a",
          "t = torch.zeros(2); a = np.from_dlpack(t); t[0] = 3; a",
          "np.from_dlpack(torch.zeros(2, requires_grad=True))", "torch.from_dlpack(np.arange(3))",
          "torch.from_dlpack([1])", "torch.from_dlpack(torch.ones(2, requires_grad=True).detach())",
          "np.from_dlpack(torch.arange(6).reshape(2, 3).t())", "torch.from_dlpack(np.array(3.))",
          "np.from_dlpack(torch.tensor([True]))", "torch.utils.dlpack.from_dlpack(torch.ones(2))",
          "torch.frombuffer(np.arange(3.), dtype=torch.float64)",
          "torch.frombuffer(bytearray(4), dtype=torch.int16)",
          "torch.frombuffer(bytearray(5), dtype=torch.int16)",
          "torch.frombuffer(bytearray(8), dtype=torch.int16, count=2, offset=2)"]
INDEXING = [f"t = torch.arange(12).reshape(3, 4); {expression}" for expression in (
    "t[np.array([0, 2])]", "t[np.int64(1)]", "t[np.array(1)]", "t[np.array([True, False, True])]",
    "t[:, np.array([0, 1])]", "t[np.array([0, 1]), np.array([1, 2])]", "t[[0, 2]]", "t[(0, 2)]",
    "t[torch.tensor([0, 2])]",
    "t[np.arange(3)[:, None], np.arange(2)]", "t[np.array([], dtype=int)]", "t[np.uint8(1)]",
    "t[np.array([1], np.uint8)]", "t[np.array([5])]", "t[np.int64(-1), np.int64(2)]",
    "t[np.int64(1):np.int64(3)]", "t[np.array([0, 1], np.int32)]", "t[t.numpy() > 5]",
    "t[np.array([0, 1], np.int8)]", "t[range(2)]", "t[np.newaxis]", "t[np.array([[0], [1]])]",
    "t[np.array([0, 1])] = np.array([[1, 2, 3, 4]]); t", "t[0] = np.arange(4); t",
    "t[0] = np.int64(9); t", "t[np.array([True, False, True])] = 0; t", "t[0] = [1, 2, 3, 4]; t",
    "t[:, 0] = np.array([1.5, 2.5, 3.5]); t", "t[np.array([0, 0])] += 1; t",
    "np.arange(12).reshape(3, 4)[torch.tensor([0, 2])]",
    "np.arange(12).reshape(3, 4)[torch.tensor(1)]",
    "np.arange(3)[torch.tensor([True, False, True])]",
    "np.arange(12).reshape(3, 4)[torch.tensor(1), torch.tensor([0, 1])]",
    "a = np.zeros(4); a[torch.tensor([0, 1])] = torch.ones(2); a",
    "a = np.zeros(4); a[0] = t[0, 1]; a",
    "a = np.zeros(4); a[:] = t[1]; a", "t.index_select(0, torch.from_numpy(np.array([0])))",
    "t.sum(np.int64(0))", "t.view(np.int64(4), 3)", "t.reshape(np.array([4, 3]))",
    "t.permute(np.array([1, 0]))",
    "torch.zeros(np.int64(2), np.int32(1))", "torch.zeros(np.array([2, 1]))",
    "torch.zeros((np.int64(2),))",
    "torch.arange(np.int64(3))", "torch.arange(np.float32(3))", "torch.full((2,), np.float32(1.5))",
    "torch.full((2,), np.int64(1))", "torch.tensor(np.float32(1.5))", "torch.tensor([np.int32(1)])",
    "torch.tensor([np.float32(1)])", "torch.tensor(np.bool_(True))", "torch.add(t, np.int64(1))",
    "torch.add(t, np.float64(1.5))", "torch.add(t, np.ones(4))", "torch.mul(np.float64(2), t)",
    "t.add_(np.int64(1))", "t.add_(np.float64(1.5))", "t.clamp(np.int64(2), np.int64(5))",
    "t.float().clamp(np.float32(2))", "torch.where(t > 5, np.float64(1), t)",
    "t.fill_(np.int64(3))",
    "t.masked_fill(t > 5, np.int64(3))", "t == np.array(3)", "torch.maximum(t, np.array(3))",
    "t.chunk(np.int64(2))", "torch.randperm(np.int64(1))",
    "torch.cat([t, np.ones((1, 4))])", "torch.stack([np.ones(2)])", "t.to(np.float32)",
    "torch.zeros(2, dtype=np.float32)", "t.type(np.float32)", "torch.matmul(t, np.ones((4, 1)))",
    "t.copy_(np.arange(12).reshape(3, 4))", "torch.sum(np.ones(2))", "torch.sin(np.float64(1))",
    "torch.nn.functional.relu(np.ones(2))", "torch.is_tensor(np.ones(2))",
    "torch.numel(np.ones(2))",
    "t.repeat(np.int64(1), 2)", "t.expand(np.int64(3), 4)", "t.unsqueeze(np.int64(0))",
    "t.roll(np.int64(1), 0)", "torch.eye(np.int64(2))",
    "torch.linspace(np.float64(0), 1, np.int64(3))")]

# What PyTorch refuses, and truth values that it turns into uint8.
ELSEWHERE = {f"t = {t}; np.{call}" for t in TENSORS + ["torch.zeros(0)"] for call in (
    "clip(t, 0, 1)", "argmax(t)", "round(t)") if "grad" in t or "True" in t or "zeros" in t} | {
    f"t = {TENSORS[3]}; np.{call}" for call in (
        "reshape(t, (-1, 1))", "transpose(t)", "matmul(t, t)", "abs(t)", "floor(t)", "invert(t)")}
TO_ARRAYS = [source for source in TO_ARRAYS if source not in ELSEWHERE]
UFUNCS = [source for source in UFUNCS if source not in ELSEWHERE]
FROM_ARRAYS.remove("a = np.array(5); torch.Tensor(a)")  # values that nobody has set
FROM_ARRAYS.remove("a = np.zeros((2, 0)); torch.from_numpy(a).stride()")  # versions of NumPy differ

FAMILIES = {"operators": OPERATORS, "swapped operators": SWAPPED, "in place": IN_PLACE,
            "to arrays": TO_ARRAYS, "ufuncs": UFUNCS, "from arrays": FROM_ARRAYS,
            "refused": REFUSED, "shared memory": SHARED, "indexing and arguments": INDEXING}
