"""Libraries' advice to programmers is no news to the person who trains or exports."""

from __future__ import annotations

import logging
import warnings


def quieten_libraries() -> None:
    """Silence the progress bars, warnings and log lines of torch, transformers, accelerate and peft."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"torch|transformers|accelerate|peft")
