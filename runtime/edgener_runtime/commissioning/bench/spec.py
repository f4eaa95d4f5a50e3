"""The spec of a benchmark: bundle, variants, devices, texts, scenarios and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import device_named

SECONDS, WITHIN, BOUND_MS, SAMPLES_PER_QUERY = 300.0, 0.02, 50.0, 8
DEFAULT_SCENARIOS = ("single-stream", "offline")
ALL = "all"
DRIVER_CHOICES = ("auto", "builtin", "loadgen")


@dataclass(frozen=True)
class Gold:
    """A gold entity of a text: label, first character and the one past the end."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Text:
    """A text, its gold entities if known, and the starts and ends of its words if it was split before."""

    text: str
    entities: tuple[Gold, ...] | None = None
    words: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class Spec:
    """One run of the benchmark; it round-trips through JSON, texts included.

    Without `variants` all run; without `threads` the tuning or the usable cores decide. `texts` are the user's own,
    with `data` as their name; `lengths` adds texts of these numbers of subwords; with neither, texts are synthetic.
    `samples_per_query` applies to multi-stream, `bound_ms` is the p99 limit of a server. `seconds` is the time budget
    of the whole run; a row ends earlier once the interval of its median is `within` that share of it, each way.
    Raises UserInputError for a spec that cannot run.
    """

    bundle: str = ""  # a spec in a file is for the bundle that it is used with
    scenarios: tuple[str, ...] = DEFAULT_SCENARIOS
    variants: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("auto",)
    threads: tuple[int, ...] = ()
    data: str = ""
    texts: tuple[Text, ...] = ()
    lengths: tuple[int, ...] = ()
    samples_per_query: tuple[int, ...] = (SAMPLES_PER_QUERY,)
    bound_ms: float = BOUND_MS
    seconds: float = SECONDS
    within: float = WITHIN
    driver: str = "auto"
    name: str | None = None

    def __post_init__(self) -> None:
        for scenario in self.scenarios:
            if scenario not in SCENARIOS:
                raise UserInputError(
                    f"there is no scenario {scenario!r}", f"Choose among {', '.join(SCENARIOS)}, or {ALL}."
                )
        for device in self.devices:
            device_named(device)
        if self.data and not self.texts:
            raise UserInputError(f"{self.data} has no texts", "Name another file, or none for synthetic texts.")
        _at_least_one("scenarios", self.scenarios)
        _at_least_one("devices", self.devices)
        for name, numbers in (("threads", self.threads), ("samples per query", self.samples_per_query)):
            _above_zero(name, *numbers)
        for name, number in (("the bound", self.bound_ms), ("seconds", self.seconds), ("within", self.within)):
            _above_zero(name, number)

    @property
    def is_labelled(self) -> bool:
        """Whether all its own texts have gold entities."""
        return bool(self.texts) and all(text.entities is not None for text in self.texts)


def read_spec(path: Path) -> Spec:
    """The spec in a JSON file. Raises UserInputError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None
    except UnicodeDecodeError as error:
        raise UserInputError(f"{path}: not UTF-8 at byte {error.start}", "Write it again.") from None
    return parse_spec(text, str(path))


def parse_spec(text: str, where: str) -> Spec:
    """The spec in JSON; `where` names it in errors. Raises UserInputError."""
    try:
        return from_json(Spec, text, where)
    except SchemaError as error:
        raise UserInputError(error.message, "See edgener_runtime.commissioning.bench.spec.Spec.") from None


def scenarios_of(names: Sequence[str]) -> tuple[str, ...]:
    """Scenarios by their names on the command line, each once; `all` means every one."""
    return tuple(SCENARIOS) if ALL in names else tuple(dict.fromkeys(names))


def _at_least_one(name: str, values: Sequence[object]) -> None:
    if not values:
        raise UserInputError(f"there are no {name}: nothing would run", "Name at least one.")


def _above_zero(name: str, *numbers: float) -> None:
    for number in numbers:
        if not 0 < number < float("inf"):
            raise UserInputError(f"{name} is {number:g}, expected a number above 0")
