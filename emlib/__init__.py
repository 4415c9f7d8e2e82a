"""The EM algorithm with every equals sign executed: proofs, checks and the code they prove."""

from emlib.conventions import NotFittedError
from emlib.em import EMModel, EMResult, Iteration, Status, em
from emlib.errors import (
    ConvergenceWarning,
    DegenerateComponent,
    DegenerateFitWarning,
    LikelihoodDecreased,
)
from emlib.estimators import GaussianMixture
from emlib.models.components.bernoulli import Bernoulli, BernoulliParameters
from emlib.models.components.categorical import Categorical, CategoricalParameters
from emlib.models.components.exponential import Exponential, ExponentialParameters
from emlib.models.components.gaussian import Gaussian, GaussianParameters
from emlib.models.components.poisson import Poisson, PoissonParameters
from emlib.models.decomposition import Decomposition, decompose
from emlib.models.mixture import Mixture, MixtureParameters
from emlib.parallel import Parallel
from emlib.priors import Dirichlet, InverseWishart

__version__ = "0.1.0"

__all__ = [
    "Bernoulli",
    "BernoulliParameters",
    "Categorical",
    "CategoricalParameters",
    "ConvergenceWarning",
    "Decomposition",
    "DegenerateComponent",
    "DegenerateFitWarning",
    "Dirichlet",
    "EMModel",
    "EMResult",
    "Exponential",
    "ExponentialParameters",
    "Gaussian",
    "GaussianMixture",
    "GaussianParameters",
    "InverseWishart",
    "Iteration",
    "LikelihoodDecreased",
    "Mixture",
    "MixtureParameters",
    "NotFittedError",
    "Parallel",
    "Poisson",
    "PoissonParameters",
    "Status",
    "decompose",
    "em",
]
