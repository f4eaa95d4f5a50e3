"""Tasks for annotation tools: texts with a model's entities, which an annotator then corrects.

All three tools count code points, as Python does. Label Studio does so since change 308 of its frontend; before, it
counted UTF-16 units. Its tasks have the marked texts too, which decide where readers find both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgener_runtime.base.files import storage_errors, sync
from edgener_runtime.base.partial import partial

if TYPE_CHECKING:
    from edgener_runtime.decoding.entity import Entity
    from edgener_runtime.pipeline import TokenClassifier

MakeTask = Callable[[str, "Sequence[Entity]", str], dict[str, Any]]
"""From a text, its entities and the model's name to a task."""


@dataclass(frozen=True)
class TaskFormat:
    """The format of one tool: what its import reads, and whether the tasks stand in an array or one on a line."""

    name: str
    description: str
    make: MakeTask
    is_array: bool = False


def _label_studio(text: str, entities: Sequence[Entity], model: str) -> dict[str, Any]:
    results = [
        {
            "id": f"e{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "score": round(entity.score, 4),
            "value": {"start": entity.start, "end": entity.end, "text": entity.text, "labels": [entity.label]},
        }
        for number, entity in enumerate(entities)
    ]
    score = {"score": round(min(entity.score for entity in entities), 4)} if entities else {}
    return {"data": {"text": text}, "predictions": [{"model_version": model, **score, "result": results}]}


def _doccano(text: str, entities: Sequence[Entity], model: str) -> dict[str, Any]:
    return {"text": text, "label": [[entity.start, entity.end, entity.label] for entity in entities]}


def _prodigy(text: str, entities: Sequence[Entity], model: str) -> dict[str, Any]:
    spans = [
        {"start": entity.start, "end": entity.end, "label": entity.label, "score": round(entity.score, 4)}
        for entity in entities
    ]
    return {"text": text, "spans": spans, "meta": {"model": model}}


TASK_FORMATS = {
    entry.name: entry
    for entry in (
        TaskFormat(
            "label-studio", "JSON array of tasks with predictions and their scores", _label_studio, is_array=True
        ),
        TaskFormat("doccano", "JSON Lines for sequence labelling, without scores", _doccano),
        TaskFormat("prodigy", "JSON Lines with spans and their scores", _prodigy),
    )
}
"""THE table of formats that tasks are written in."""


def write_tasks(
    classifier: TokenClassifier,
    texts: Iterable[str],
    out: Path,
    tool: TaskFormat,
    min_score: float = 0,
    step: Callable[[], None] = lambda: None,
) -> int:
    """Write a task for each text with the entities of at least `min_score`; the number of entities written.

    `step()` is called after each text. An earlier file stays where a text or the disk fails. Raises what the classifier
    raises, and StorageError.
    """
    from edgener_runtime.text.tokenize import without_surrogates

    manifest = classifier.manifest
    model, count = f"{manifest.name} {manifest.version}", 0

    def tasks() -> Iterator[dict[str, Any]]:
        nonlocal count
        given = [without_surrogates(text) for text in texts]
        for text, found in zip(given, classifier.stream(given), strict=True):
            entities = [entity for entity in found if entity.score >= min_score]
            count += len(entities)
            step()
            yield tool.make(text, entities, model)

    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with partial(out, Path.touch) as temporary:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                _write(file, tasks(), tool.is_array)
            sync(temporary)
            temporary.replace(out)
            sync(out.parent)
    return count


def _write(file: IO[str], tasks: Iterable[dict[str, Any]], is_array: bool) -> None:
    lines = (json.dumps(task, ensure_ascii=False) for task in tasks)
    if not is_array:
        file.writelines(f"{line}\n" for line in lines)
        return
    file.write("[")
    for number, line in enumerate(lines):
        file.write(f"{',' if number else ''}\n{line}")
    file.write("\n]\n")
