"""Files with a token, a password or a key: who else may read or change them."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from edgener_runtime.errors import UserInputError

_log = logging.getLogger(__name__)


def check_secret_file(file: Path) -> None:
    """Refuse a secret that others may change, and log a warning for one that others may read.

    A group may read it, as it is how a service gets a secret of root; containers mount secrets readable by all, hence
    no more than a warning. Files that cannot be examined are reported by whoever reads them. Raises UserInputError with
    the command that corrects the permissions.
    """
    try:
        found = file.stat()
    except OSError:
        return
    if os.name != "posix" or not stat.S_ISREG(found.st_mode):  # a pipe, as of <(command), has no readers to fear
        return
    mode, hint = stat.S_IMODE(found.st_mode), f"Correct it: chmod 600 {file}"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserInputError(f"{file} holds a secret, and others may change it: its mode is {mode:04o}", hint)
    if found.st_uid not in (0, os.geteuid()):
        raise UserInputError(
            f"{file} holds a secret, and belongs to another user (number {found.st_uid}), who may change it",
            f"Make it yours: chown {os.geteuid()} {file}",
        )
    if mode & stat.S_IROTH:
        _log.warning("%s holds a secret, and every user may read it: its mode is %04o. %s", file, mode, hint)
