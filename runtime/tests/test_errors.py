"""One tree of errors, each with the exit code that its command ends with."""

from __future__ import annotations

import pytest

from edgener_runtime import errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EdgenerError", 1), ("StorageError", 1), ("ExportError", 1), ("UserInputError", 2), ("ParityError", 3),
        ("BundleError", 5), ("DeviceError", 6), ("ProviderError", 6),
    ],
)  # fmt: skip
def test_every_error_has_its_exit_code(name: str, code: int) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.EdgenerError)
    assert error.exit_code == code


def test_a_missing_provider_is_an_error_of_the_device() -> None:
    assert issubclass(errors.ProviderError, errors.DeviceError)


def test_an_error_prints_its_message_and_the_next_step() -> None:
    error = errors.UserInputError("orders.txt is missing", "Name another file.")
    assert (error.message, error.hint) == ("orders.txt is missing", "Name another file.")
    assert str(error) == "orders.txt is missing\nName another file."
    assert str(errors.UserInputError("orders.txt is missing")) == "orders.txt is missing"
