"""What ops compute and what their derivatives are, in words: one line per op.

`name | formula | argument = derivative | argument: sentence`. A derivative after "=" is that of one
element of y with respect to the element of the argument at the same place; a sentence says what the
argument gets of g, the gradient that arrives at y. Where two families use one name, the file of the
op stands before it.
"""

from __future__ import annotations

import functools
from typing import Any

TABLE = """
add | y = input + alpha * other | input = 1 | other = alpha
sub | y = input - alpha * other | input = 1 | other = -alpha
rsub | y = other - alpha * input | input = -alpha | other = 1
mul | y = input * other | input = other | other = input
div | y = input / other | input = 1 / other | other = -input / other^2
pow | y = input^exponent | input = exponent * input^(exponent - 1) | exponent = y * log(input)
neg | y = -input | input = -1
abs | y = |input| | input = sign(input), and 0 at 0
exp | y = e^input | input = y
exp2 | y = 2^input | input = y * log(2)
expm1 | y = e^input - 1 | input = y + 1
log | y = log(input) | input = 1 / input
log2 | y = log2(input) | input = 1 / (input * log(2))
log10 | y = log10(input) | input = 1 / (input * log(10))
log1p | y = log(1 + input) | input = 1 / (1 + input)
sqrt | y = sqrt(input) | input = 1 / (2 * y)
rsqrt | y = 1 / sqrt(input) | input = -y^3 / 2
square | y = input^2 | input = 2 * input
reciprocal | y = 1 / input | input = -y^2
sin | y = sin(input) | input = cos(input)
cos | y = cos(input) | input = -sin(input)
tan | y = tan(input) | input = 1 + y^2
asin | y = asin(input) | input = 1 / sqrt(1 - input^2)
acos | y = acos(input) | input = -1 / sqrt(1 - input^2)
atan | y = atan(input) | input = 1 / (1 + input^2)
atan2 | y = angle of (other, input) | input = other / r^2 | other = -input / r^2
sinh | y = sinh(input) | input = cosh(input)
cosh | y = cosh(input) | input = sinh(input)
asinh | y = asinh(input) | input = 1 / sqrt(input^2 + 1)
acosh | y = acosh(input) | input = 1 / sqrt(input^2 - 1)
atanh | y = atanh(input) | input = 1 / (1 - input^2)
hypot | y = sqrt(input^2 + other^2) | input = input / y | other = other / y
erf | y = erf(input) | input = 2 / sqrt(pi) * e^(-input^2)
erfc | y = 1 - erf(input) | input = -2 / sqrt(pi) * e^(-input^2)
lgamma | y = log(gamma(input)) | input = digamma(input)
logaddexp | y = log(e^input + e^other) | input = e^(input - y) | other = e^(other - y)
xlogy | y = input * log(other) | input = log(other) | other = input / other
lerp | y = input + weight * (end - input) | input = 1 - weight | end = weight | weight = end - input
addcmul | y = input + value * tensor1 * tensor2 | input = 1 | tensor1 = value * tensor2 \
| tensor2 = value * tensor1
addcdiv | y = input + value * tensor1 / tensor2 | input = 1 | tensor1 = value / tensor2 \
| tensor2 = -value * tensor1 / tensor2^2
clone | y = a copy of input | input = 1
cast | y = input in another dtype | input = 1
copy | y = src, written over input | src = 1 | input = 0
identity | y = input | input = 1
floor | y = input rounded down | input = 0: a step has no slope
ceil | y = input rounded up | input = 0: a step has no slope
round | y = input rounded | input = 0: a step has no slope
trunc | y = input without its fraction | input = 0: a step has no slope
sign | y = -1, 0 or 1 | input = 0: a step has no slope
frac | y = the fraction of input | input = 1
fmod | y = the rest of input / other | input = 1 | other = -trunc(input / other)
remainder | y = the rest of input / other | input = 1 | other = -floor(input / other)
clamp | y = input kept between min and max | input = 1 from min to max, 0 outside
clamp_min | y = max(input, min) | input = 1 from min on, 0 below
clamp_max | y = min(input, max) | input = 1 up to max, 0 above
maximum | y = the larger one | input = 1 where it is larger, 1/2 in a tie | other = 1 where it is \
larger, 1/2 in a tie
minimum | y = the smaller one | input = 1 where it is smaller, 1/2 in a tie | other = 1 where it \
is smaller, 1/2 in a tie
where | y = input where the condition holds, else other | input = 1 where it holds, else 0 \
| other = 0 where it holds, else 1
masked_fill | y = input, but value under the mask | input = 0 under the mask, else 1
sum | y = the sum of input over dim | input: each element that is summed gets the g of its sum
nansum | y = the sum of input without NaN | input: each element that is summed gets g, NaN gets 0
mean | y = the sum of input over dim / n | input: each of the n elements gets g / n
var | y = sum (input - mean)^2 / (n - correction) | input: g * 2 (input - mean) / (n - correction)
std | y = sqrt(variance) | input: g * (input - mean) / (y * (n - correction))
prod | y = the product of input over dim | input: g * y / input, the product of the others
logsumexp | y = log(sum e^input) | input: g * softmax(input)
linalg_vector_norm | y = (sum |x|^ord)^(1/ord) | x: g * x / y for ord 2, g * sign(x) for ord 1
max | y = the largest element | input: g goes to the largest element, shared evenly among equal ones
min | y = the smallest element | input: g goes to the smallest, shared evenly among equal ones
max_dim | y = the largest along dim | input: g goes to the one element that was chosen
min_dim | y = the smallest along dim | input: g goes to the one element that was chosen
amax | y = the largest over dim | input: g goes to the largest, shared evenly among equal ones
amin | y = the smallest over dim | input: g goes to the smallest, shared evenly among equal ones
median | y = the middle element | input: g goes to the element that was chosen
cumsum | y[i] = input[0] + ... + input[i] | input: the sum of g from its own place to the end
cumprod | y[i] = input[0] * ... * input[i] | input: the sum of g * y from its place on, over input
sort | y = input in order | input: g goes back to where each element came from
topk | y = the k largest | input: g goes to the elements that were chosen, 0 to the others
matmul | y = input @ other | input: g @ other^T | other: input^T @ g
mm | y = input @ mat2 | input: g @ mat2^T | mat2: input^T @ g
bmm | y[b] = input[b] @ mat2[b] | input: g[b] @ mat2[b]^T | mat2: input[b]^T @ g[b]
mv | y = input @ vec | input: the outer product of g and vec | vec: input^T @ g
dot | y = sum input * tensor | input: g * tensor | tensor: g * input
linear | y = input @ weight^T + bias | input: g @ weight | weight: g^T @ input, summed over the \
samples | bias: g summed over the samples
addmm | y = beta * input + alpha * mat1 @ mat2 | input: beta * g | mat1: alpha * g @ mat2^T \
| mat2: alpha * mat1^T @ g
baddbmm | y = beta * input + alpha * batch1 @ batch2 | input: beta * g \
| batch1: alpha * g @ batch2^T | batch2: alpha * batch1^T @ g
convolution | y = weight slid over input, products summed, + bias | input: g spread back through \
the weight (a transposed convolution) | weight: the windows of input times g, summed over places \
and samples | bias: g summed over places and samples
transposed | y = each input element spread through the weight, + bias | input: a convolution of g \
with the weight | weight: input times the windows of g, summed | bias: g summed over places and \
samples
embedding | y = the rows of weight that the indices name | weight: each row gets the sum of the g \
of its uses, unused rows 0
attention | y = softmax(scale * query @ key^T + bias) @ value | query: scale * ds @ key, with ds \
the gradient of the scores | key: scale * ds^T @ query | value: weights^T @ g | bias: ds
recurrent_layer | h[t] = cell(input[t], h[t-1]) | input: through time, from the last step back \
| w_ih: the sum over all steps | w_hh: the sum over all steps | b_ih: the sum over all steps \
| b_hh: the sum over all steps | hx: through all steps | cx: through all steps
view | y = input in another shape | input: g in the old shape
unsafe_view | y = input in another shape | input: g in the old shape
reshape | y = input in another shape | input: g in the old shape
row_major | y = input laid out in order | input: g
t | y = input transposed | input: g transposed back
transpose | y = input with two dims exchanged | input: g with the dims exchanged back
permute | y = input with its dims in another order | input: g in the old order
squeeze | y = input without dims of size 1 | input: g in the old shape
unsqueeze | y = input with a dim of size 1 more | input: g in the old shape
expand | y = input repeated without copying | input: g summed over the repeated dims
repeat | y = input repeated | input: g summed over the copies
select_index | y = a part of input | input: g at that part, 0 elsewhere
take_index | y = the elements that the index names | input: g added up at the places named, 0 \
elsewhere
gather | y = the elements that index names along dim | input: g added up at the places named
index_select | y = the slices that index names | input: g added up at the slices named
scatter | y = input with src written at index | input: g, but 0 where it was overwritten \
| src: g at the places written
scatter_add | y = input with src added at index | input: g | src: g at the places written
masked_select | y = the elements under the mask | input: g under the mask, 0 elsewhere
diagonal | y = the diagonal of input | input: g on the diagonal, 0 elsewhere
triu | y = the upper triangle | input: the upper triangle of g
tril | y = the lower triangle | input: the lower triangle of g
flip | y = input in reverse | input: g in reverse
roll | y = input moved around | input: g moved back
cat | y = the tensors one after another | tensors: each gets its own part of g
stack | y = the tensors in a new dim | tensors: each gets its own slice of g
split | y = the pieces of tensor | tensor: the pieces of g, put together
split_with_sizes | y = the pieces of tensor | tensor: the pieces of g, put together
unbind | y = the slices of input | input: the slices of g, put together
as_strided | y = a strided view of input | input: g added up at the places seen
copy_slices | y = base with a region replaced by value | base: g, but 0 in the region | value: g \
in the region
as_view | y = a view of a rewritten base | input: g at the places of the view, 0 elsewhere
constant_pad | y = input with a border | input: g without the border
index_pad | y = input with a border of its own values | input: g, the border's added to where it \
came from
unfold | y = the windows of input | input: g of all windows added up where they overlap
fold | y = the windows added up | input: g cut into windows
relu | y = max(input, 0) | input = 1 where input > 0, else 0
leaky_relu | y = input, or slope * input below 0 | input = 1 where input > 0, else negative_slope
prelu_kernel | y = input, or weight * input below 0 | input = 1 where input > 0, else weight \
| weight: g * input where input <= 0, summed over what shares the weight
rrelu_with_noise | y = input, or a random slope * input below 0 | input = 1 where input > 0, else \
that slope
elu | y = input above 0, alpha * (e^input - 1) below (times scale) | input = scale above 0, \
y + scale * alpha below
gelu | y = input * P(Z <= input) | input = P(Z <= input) + input * density(input)
silu | y = input * sigmoid(input) | input = s + input * s * (1 - s), s = sigmoid(input)
mish | y = input * tanh(softplus(input)) | input = t + input * sigmoid(input) * (1 - t^2), \
t = tanh(softplus(input))
softplus | y = log(1 + e^(beta * input)) / beta | input = sigmoid(beta * input)
logsigmoid | y = log(sigmoid(input)) | input = 1 - sigmoid(input)
sigmoid | y = 1 / (1 + e^-input) | input = y * (1 - y)
logistic | y = 1 / (1 + e^-input) | input = y * (1 - y)
tanh | y = tanh(input) | input = 1 - y^2
relu6 | y = input kept between 0 and 6 | input = 1 between 0 and 6, else 0
hardtanh | y = input kept between min_val and max_val | input = 1 in between, else 0
hardsigmoid | y = input / 6 + 1/2 kept between 0 and 1 | input = 1/6 between -3 and 3, else 0
hardswish | y = input * hardsigmoid(input) | input = input / 3 + 1/2 between -3 and 3, 0 below, \
1 above
hardshrink | y = input, but 0 between -lambd and lambd | input = 1 outside, 0 inside
softshrink | y = input moved towards 0 by lambd | input = 1 outside -lambd ... lambd, 0 inside
threshold | y = input above the threshold, else value | input = 1 above, else 0
glu | y = a * sigmoid(b), input = (a, b) | input: g * sigmoid(b) for a, g * a * s * (1 - s) for b
softmax | y = e^input / sum e^input | input: y * (g - sum g * y)
log_softmax | y = input - log(sum e^input) | input: g - softmax(input) * sum g
batch_norm | y = (input - mean) / std * weight + bias, mean and std of each channel in the batch \
| input: weight / std * (g - mean(g) - xhat * mean(g * xhat)) | weight: sum g * xhat | bias: sum g
frozen_norm | y = (input - running mean) / running std * weight + bias | input: g * weight / std \
| weight: sum g * xhat | bias: sum g
group_norm | y = (input - mean) / std * weight + bias, mean and std of each sample's groups \
| input: (g w - mean(g w) - xhat * mean(g w xhat)) / std | weight: sum g * xhat | bias: sum g
layer_norm | y = (input - mean) / std * weight + bias, mean and std of each sample | input: \
(g w - mean(g w) - xhat * mean(g w xhat)) / std | weight: sum g * xhat | bias: sum g
rms_norm | y = input / rms * weight | input: (g w - xhat * mean(g w xhat)) / rms | weight: sum \
g * xhat
dropout | y = input * noise, noise 0 or 1 / (1 - p) | input = noise
feature_dropout | y = input * noise, noise 0 or 1 / (1 - p) per channel | input: g * noise
alpha_dropout | y = scale * input + shift where kept, a constant where dropped | input: g * scale
max_pool | y = the largest of each window | input: g goes to the element that was chosen in each \
window
avg_pool | y = the mean of each window | input: g / (size of the window), added up over windows
average | y = the mean of each region | input: g / (size of the region)
adaptive_pool.maximum | y = the largest of each region | input: g goes to the element chosen
fractional_pool.maximum | y = the largest of each region | input: g goes to the element chosen
resample | y = input at other places, interpolated | input: g spread by the same weights
mse_loss | y = mean (input - target)^2 | input: g * 2 (input - target) / n | target: minus that
smooth_l1_loss | y = mean of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2 | input: g * d / \
beta where |d| < beta, else g * sign(d), / n | target: minus that
huber_loss | y = mean of d^2 / 2 where |d| < delta, else delta (|d| - delta / 2) | input: g * d \
where |d| < delta, else g * delta * sign(d), / n | target: minus that
binary_cross_entropy | y = -mean (target log(input) + (1 - target) log(1 - input)) | input: g * \
(input - target) / (input (1 - input)) / n | target: g * (log(1 - input) - log(input)) / n
logits_loss | y = the binary cross entropy of sigmoid(input) | input: g * (sigmoid(input) - \
target) / n | target: -g * input / n
class_cross_entropy | y = -mean log softmax(input)[target] | input: g * (softmax(input) - \
one_hot(target)) / n
row_cross_entropy | y = -mean log softmax(input)[target] | input: g * (softmax(input) - \
one_hot(target)) / n
nll_loss | y = -mean input[target] | input: -g / n at the target, 0 elsewhere
ctc_loss | y = -log P(targets) over all alignments | log_probs: -g * the share of alignments that \
pass there
inv | y = A^-1 | A: -y^T @ g @ y^T
det | y = det(A) | A: g * y * A^-T
solve | y = A^-1 @ B | A: -(A^-T g) @ y^T | B: A^-T @ g
cholesky | y y^T = A | A: from g by the product rule on y y^T
trace | y = the sum of the diagonal | input: g on the diagonal, 0 elsewhere
logabsdet | y = log|det(A)| | A: g * A^-T
matrix_exp | y = I + A + A A / 2 + ... | A: by the series of the derivative, on a larger matrix
set_index | y = input with value written at the index | input: g, but 0 where it was overwritten \
| value: g at the places written
index_add | y = input with source added at the index | input: g | source: g at the places named
index_copy | y = input with source written at the index | input: g, but 0 where it was overwritten \
| source: g at the places written
index_fill | y = input with a number written at the index | input: g, but 0 where it was overwritten
take | y = the elements that index names | input: g added up at the places named
fill | y = one value everywhere | input = 0 | value: the sum of g
zero | y = 0 | input = 0
nan_to_num | y = input, NaN and inf replaced | input = 1 where it is finite, else 0
fmax | y = the larger one, NaN loses | input = 1 where it is larger | other = 1 where it is larger
fmin | y = the smaller one, NaN loses | input = 1 where it is smaller | other = 1 where it is \
smaller
erfinv | y = the x with erf(x) = input | input = sqrt(pi) / 2 * e^(y^2)
digamma | y = digamma(input) | input = trigamma(input)
deg2rad | y = input * pi / 180 | input = pi / 180
rad2deg | y = input * 180 / pi | input = 180 / pi
logit | y = log(input / (1 - input)) | input = 1 / (input * (1 - input))
logaddexp2 | y = log2(2^input + 2^other) | input = 2^(input - y) | other = 2^(other - y)
xlog1py | y = input * log1p(other) | input = log1p(other) | other = input / (1 + other)
sgn | y = -1, 0 or 1 | input = 0: a step has no slope
floor_divide | y = input / other rounded down | input = 0: a step has no slope | other = 0: a step \
has no slope
heaviside | y = 0 below 0, 1 above | input = 0: a step has no slope
cummax | y[i] = the largest of input[0..i] | input: g goes to the elements that were chosen
cummin | y[i] = the smallest of input[0..i] | input: g goes to the elements that were chosen
logcumsumexp | y[i] = log(e^input[0] + ... + e^input[i]) | input: the sum over later places of \
g * e^(input - y)
var_mean | y = variance and mean | input: the two gradients, added up
std_mean | y = standard deviation and mean | input: the two gradients, added up
aminmax | y = the smallest and the largest | input: each g goes to its elements
median_dim | y = the middle element along dim | input: g goes to the element that was chosen
kthvalue | y = the kth smallest along dim | input: g goes to the element that was chosen
addmv | y = beta * input + alpha * mat @ vec | input: beta * g | mat: alpha * the outer product of \
g and vec | vec: alpha * mat^T @ g
addr | y = beta * input + alpha * the outer product of vec1 and vec2 | input: beta * g | vec1: \
alpha * g @ vec2 | vec2: alpha * g^T @ vec1
addbmm | y = beta * input + alpha * the sum of batch1[b] @ batch2[b] | input: beta * g \
| batch1: alpha * g @ batch2^T | batch2: alpha * batch1^T @ g
cross | y = input x other | input: other x g | other: g x input
to_space | y = channels moved to space | input: g moved back
to_channels | y = space moved to channels | input: g moved back
shuffled | y = channels in another order | input: g in the old order
pad_sequences | y = the sequences side by side, filled up | tensors: each gets its own part of g
pack_padded | y = the true elements, time by time | input: g where it came from, 0 at the filling
pad_packed | y = the sequences side by side, filled up | input: g without the filling
sample | y = input at the places of a grid, interpolated | input: g spread by the same weights \
| place: g times the slope of input
erased | y = input | input: g
relaid | y = input laid out in another order | input: g
sized | y = input in another shape | input: g in the old shape
"""


@functools.cache
def _entries() -> dict[str, tuple[str, dict[str, str]]]:
    found = {}
    for line in TABLE.strip().replace("\\\n", "").splitlines():
        name, formula, *rules = (part.strip() for part in line.split(" | "))
        derivatives = {}
        for rule in rules:
            ends = [k for k in (rule.find(" ="), rule.find(":")) if k > 0]
            at = min(ends)
            argument = rule[:at]
            text = rule[at + 1:].strip()
            derivatives[argument] = f"dy/d{argument} {text}" if rule[at] == " " else text
        found[name] = (formula, derivatives)
    return found


def entry(op: Any) -> tuple[str, dict[str, str]] | None:
    """Return an op's formula, and what each argument gets; None if the table has no line."""
    if getattr(op, "forward", None) is None:  # an autograd.Function
        return None
    file = op.forward.__module__.rpartition(".")[2]
    found = _entries().get(f"{file}.{op.name}") or _entries().get(op.name)
    # ops of other families may have the same name, but not the same arguments
    return found if found is not None and found[1].keys() <= set(op.names) else None


def sentence(op: Any, argument: str) -> str:
    """Return what an argument gets, or a general sentence about it."""
    found = entry(op)
    if found is not None and argument in found[1]:
        return found[1][argument]
    return f"g times the derivative of y with respect to {argument}"
