"""Probability distributions: `torch.distributions`, as far as policies and autoencoders need it.

Sampling, densities that can be differentiated, entropies and Kullback-Leibler divergences of
Bernoulli, Categorical, Normal and Uniform.
"""

from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .kl import kl_divergence, register_kl
from .normal import Normal
from .uniform import Uniform

__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "Uniform", "kl_divergence",
           "register_kl"]
