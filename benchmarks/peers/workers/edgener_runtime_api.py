"""Ours, through its public API alone: `predict` and `predict_batch`, which batches as it sees fit."""

from __future__ import annotations

from collections.abc import Sequence

from protocol import Found, Setting, serve

from edgener_runtime import Decoding, TokenClassifier

FIRST = Decoding("first")


class Runtime:
    """The classifier as a peer."""

    def __init__(self, classifier: TokenClassifier) -> None:
        self._classifier = classifier

    def predict(self, text: str) -> list[Found]:
        """The entities of one text."""
        return [(entity.label, entity.start, entity.end) for entity in self._classifier.predict(text, FIRST)]

    def predict_batch(self, texts: Sequence[str], batch: int) -> list[list[Found]]:
        """The entities of each text."""
        answers = self._classifier.predict_batch(texts, FIRST)
        return [[(entity.label, entity.start, entity.end) for entity in entities] for entities in answers]


def load(setting: Setting) -> Runtime:
    """A variant of the bundle on so many threads, or `NAME+tuning`: as the tuning.json beside the bundle says."""
    variant, _, tuned = setting.form.partition("+")
    return Runtime(TokenClassifier.load(setting.bundle, "cpu", variant, None if tuned else setting.threads))


if __name__ == "__main__":
    serve(load)
