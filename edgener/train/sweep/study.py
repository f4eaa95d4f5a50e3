"""Optuna studies: how they are opened, what they are about, how they sample, and the errors of their databases."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.install import BUILD_SIDE, install_line
from edgener_runtime.errors import StorageError, UserInputError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

LOCK_SECONDS = 60  # for which a locked file is waited for
_OPENINGS = 5  # tries, as two processes may create the tables at once
_MADE_BY_ANOTHER = ("already exists", "UNIQUE constraint", "duplicate key", "Duplicate entry")
JOB = "job"
_IDENTITY = "identity"


def check_optuna() -> None:
    """Raises UserInputError if Optuna, an extra, is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise UserInputError("edgener sweep needs Optuna", install_line("sweep", BUILD_SIDE)) from None


def file_url(file: Path) -> str:
    """The storage URL of an SQLite file."""
    return f"sqlite:///{file.absolute()}"


def open_study(url: str, name: str, identity: Mapping[str, Any], pruner: BasePruner) -> Study:
    """Open the study `name`, or create it; `identity` is what it is about.

    Raises UserInputError where the study is about something else, and names both.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # it would report trials that are repeated as errors
    study = optuna.create_study(
        storage=_open_storage(url), study_name=name, direction="maximize", load_if_exists=True,
        sampler=_job_sampler(), pruner=pruner,
    )  # fmt: skip
    found = json.loads(json.dumps(identity))
    known = study.user_attrs.get(_IDENTITY)
    if known is None:
        study.set_user_attr(_IDENTITY, found)
    else:
        _check_identity(known, found, f"{name} in {_without_password(url)}")
    return study


def job_of(trial: Trial | FrozenTrial) -> str:
    """The name of a trial's job."""
    return str(trial.user_attrs.get(JOB))


def _open_storage(url: str) -> RDBStorage:
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    patient = {"connect_args": {"timeout": LOCK_SECONDS}} if url.startswith("sqlite") else {}
    for _ in range(_OPENINGS - 1):
        try:
            return RDBStorage(url, engine_kwargs=patient)
        except (IntegrityError, OperationalError, ProgrammingError) as error:  # of each database's own choice
            if not any(words in str(error) for words in _MADE_BY_ANOTHER):
                raise
            time.sleep(1)
    return RDBStorage(url, engine_kwargs=patient)


def _check_identity(known: Mapping[str, Any], found: Mapping[str, Any], where: str) -> None:
    for part, value in found.items():
        if known.get(part) != value:
            raise UserInputError(
                f"the study {where} has another {part}: found {_brief(known.get(part), value)}, "
                f"expected {_brief(value, known.get(part))}",
                "Name another --out or --study, or repeat the command that the study was started with.",
            )


def _brief(value: Any, other: Any) -> str:
    """A value for a message; of a mapping, only what the other does not have."""
    if not isinstance(value, Mapping):
        return str(value)
    own = {key: item for key, item in value.items() if not isinstance(other, Mapping) or other.get(key) != item}
    return "; ".join(f"{key} {item}" for key, item in own.items()) or "none of it"


@contextlib.contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Map the errors of SQLAlchemy and of Optuna's storage to UserInputError and StorageError."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

    where = _without_password(url)
    try:
        yield
    except (StorageInternalError, DatabaseError) as error:
        raise _database_error(error, where) from error
    except RuntimeError as error:  # the tables are those of another version of Optuna
        if "schema" not in str(error):
            raise
        raise UserInputError(
            f"the study {where} cannot be read: {error}", "Install the Optuna that wrote it."
        ) from error
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise UserInputError(
            f"--storage {where} cannot be opened: {_first_line(error)}",
            "Name an SQLAlchemy URL, such as postgresql://user@host/name, and install the driver of its database.",
        ) from error


def _database_error(error: Exception, where: str) -> UserInputError | StorageError:
    cause = error.__cause__ or error
    reason = _first_line(getattr(cause, "orig", None) or cause)
    if "locked" in reason:
        hint = "End the process that holds the file, and run the same command again: it continues."
        return StorageError(f"the study {where} is locked: {reason}", hint)
    if type(cause).__name__ == "OperationalError" and "no such" not in reason:
        return StorageError(f"the study {where} cannot be used: {reason}", "Check the path, the disk or the server.")
    hint = "Remove that file to begin again, or name another --out or --storage."
    return UserInputError(f"the study {where} is damaged, or not a study: {reason}", hint)


def _first_line(error: object) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, colon, login = head.partition("://")
    return f"{scheme}://{login.partition(':')[0]}@{tail}" if at and colon else url


def _job_sampler() -> Any:
    """A TPE sampler whose random numbers depend on the study, the job and the setting, not on the process."""
    from optuna.samplers import BaseSampler, TPESampler

    class JobSampler(BaseSampler):  # type: ignore[misc]
        """Samples each setting of a job with a generator of its own."""

        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
            return {}

        def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
            source = json.dumps([study.user_attrs[_IDENTITY], job_of(trial), param_name], sort_keys=True)
            seed = int.from_bytes(hashlib.sha256(source.encode()).digest()[:4], "big")
            return TPESampler(seed=seed).sample_independent(study, trial, param_name, param_distribution)

    return JobSampler()
