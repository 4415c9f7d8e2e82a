"""The EM algorithm with every equals sign executed: proofs, checks and the code they prove."""

from emlib.acceleration import QuasiNewton, Squarem
from emlib.conventions import NotFittedError
from emlib.em import EMModel, EMResult, Iteration, Status, em
from emlib.errors import (
    ConvergenceWarning,
    DegenerateComponent,
    DegenerateFitWarning,
    LikelihoodDecreased,
    NotAMaximum,
)
from emlib.estimators import GaussianMixture
from emlib.information import Information, distance_to_limit, em_jacobian, information_at, observed_information
from emlib.models.components.bernoulli import Bernoulli, BernoulliParameters
from emlib.models.components.binomial import Binomial
from emlib.models.components.categorical import Categorical, CategoricalParameters
from emlib.models.components.exponential import Exponential, ExponentialParameters
from emlib.models.components.gaussian import Gaussian
from emlib.models.components.gaussian_values import GaussianParameters
from emlib.models.components.poisson import Poisson, PoissonParameters
from emlib.models.decomposition import Decomposition, decompose
from emlib.models.hmm import HiddenMarkov, HiddenMarkovParameters
from emlib.models.linkage import Linkage, LinkageParameters
from emlib.models.missing import MissingGaussian
from emlib.models.mixture import Mixture, MixtureParameters
from emlib.models.sequences import Sequences
from emlib.parallel import Parallel
from emlib.priors import Dirichlet, InverseWishart

__version__ = "0.1.0"

__all__ = [
    "Bernoulli",
    "BernoulliParameters",
    "Binomial",
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
    "HiddenMarkov",
    "HiddenMarkovParameters",
    "Information",
    "InverseWishart",
    "Iteration",
    "LikelihoodDecreased",
    "Linkage",
    "LinkageParameters",
    "MissingGaussian",
    "Mixture",
    "MixtureParameters",
    "NotAMaximum",
    "NotFittedError",
    "Parallel",
    "Poisson",
    "PoissonParameters",
    "QuasiNewton",
    "Sequences",
    "Squarem",
    "Status",
    "decompose",
    "distance_to_limit",
    "em",
    "em_jacobian",
    "information_at",
    "observed_information",
]
