"""One tree of errors for the build side and the device side, each with the exit code its command ends with."""

from __future__ import annotations


class EdgenerError(Exception):
    """An error for a person: `message` says what, where, what was found and expected; `hint` is the next step."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UserInputError(EdgenerError):
    """A file, folder, option or text that cannot be used as it is."""

    exit_code = 2


class TextError(UserInputError):
    """A text that the model cannot answer; it answers others."""


class StorageError(EdgenerError):
    """A disk that is full, or a path that cannot be written."""


class ExportError(EdgenerError):
    """A model that could not be converted into a variant."""


class ParityError(EdgenerError):
    """A variant that differs from its PyTorch model by more than its budget, or whose logits are not finite."""

    exit_code = 3


class BundleError(EdgenerError):
    """A bundle that is damaged, incomplete, or written in a schema this version does not read."""

    exit_code = 5


class DeviceError(EdgenerError):
    """A device that cannot do what was asked, or is not there."""

    exit_code = 6


class TransferError(DeviceError):
    """A source of updates that cannot be reached, or a transfer that was cut."""


class ProviderError(DeviceError):
    """An execution provider that was requested and is not available."""


class StalledError(EdgenerError):
    """A model's run that does not return; the process cannot stop it, and ends."""

    exit_code = 7


class StoreBusyError(EdgenerError):
    """A store of bundles that another process changes."""
