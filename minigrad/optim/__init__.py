"""Optimizers, learning rate schedules and averages of models."""

from . import lr_scheduler, swa_utils
from ._adafactor import Adafactor
from ._hooks import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from ._muon import Muon
from ._stateless import swap_in_optimizer_params_and_state
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD

__all__ = ["ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax",
           "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler",
           "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook",
           "swa_utils", "swap_in_optimizer_params_and_state"]
