"""Run edgener bundles on a device: text in, entities out.

from edgener_runtime import TokenClassifier

with TokenClassifier.load("bundle") as classifier:
    for entity in classifier.predict("Pump P-101 leaks at the seal"):
        print(entity.label, entity.start, entity.end, entity.score, entity.text)
"""

from edgener_runtime.decoding.entity import Decoding, Entity

from .errors import BundleError, DeviceError, EdgenerError, ProviderError, TextError, UserInputError
from .explain import Explanation
from .pipeline import TokenClassifier, TokenLogits
from .version import __version__ as __version__

__all__ = [
    "BundleError",
    "Decoding",
    "DeviceError",
    "EdgenerError",
    "Entity",
    "Explanation",
    "ProviderError",
    "TextError",
    "TokenClassifier",
    "TokenLogits",
    "UserInputError",
]
