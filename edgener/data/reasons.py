"""Reasons for which readers leave something of a file out or correct it, in the words of tables and messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

BROKEN = "broken lines skipped"
UNLABELLED = "records without an entity list"
CANCELLED = "tasks cancelled"
UNANNOTATED = "tasks without annotations"
PREDICTED = "tasks with predictions only"
NO_ANNOTATION_FILE = "lines of documents without an .ann file"
FURTHER_ANNOTATIONS = "further annotations of a task"
NESTED = "nested entities dropped"
OVERLAPPING = "overlapping entities dropped"
WHITE_SPACE = "entities of white space dropped"
INVISIBLE = "entities of invisible characters dropped"
DISCONTINUOUS = "discontinuous entities dropped"
WITHOUT_LABEL = "regions without a label dropped"
IN_TEST_SET = "sentences that a test set has too"

COMMENTS = "comment lines"
NO_BEGINNING = "entities that began without B-"
TRIMMED = "entities trimmed of white space"
INVISIBLE_EDGES = "entities that began or ended with invisible characters"
REJECTED_PARTS = "records kept without their rejected entities"
OFFSETS = "entities whose offsets were corrected by their text"
JOINED = "entities joined from parts with only white space between"
MAPPED_TO_O = "entities mapped to O"

# What an annotator may answer, and the word for what is then left out; None stands for an open question.
ANSWERS = {"reject": "rejected", "ignore": "ignored", None: "not answered"}


def records_answered(answer: str | None) -> str:
    """The reason for which a record with this answer is left out."""
    return f"records {ANSWERS[answer]}"


def entities_answered(answer: str | None) -> str:
    """The reason for which an entity with this answer is left out."""
    return f"entities {ANSWERS[answer]}"


LEFT_OUT_RECORDS = frozenset(
    (
        BROKEN,
        UNLABELLED,
        CANCELLED,
        UNANNOTATED,
        PREDICTED,
        NO_ANNOTATION_FILE,
        IN_TEST_SET,
        *map(records_answered, ANSWERS),
    )
)
LEFT_OUT_ENTITIES = frozenset(
    (FURTHER_ANNOTATIONS, NESTED, OVERLAPPING, WHITE_SPACE, INVISIBLE, DISCONTINUOUS, WITHOUT_LABEL)
) | frozenset(map(entities_answered, ANSWERS))
LEFT_OUT = LEFT_OUT_RECORDS | LEFT_OUT_ENTITIES

_OF_ALL = ", in all splits"


def for_all_splits(counts: Mapping[str, int]) -> Counter[str]:
    """The counts of a file that is cut into splits."""
    return Counter({f"{reason}{_OF_ALL}": count for reason, count in counts.items()})


def left_out(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of what was left out."""
    return {reason: count for reason, count in counts.items() if reason.removesuffix(_OF_ALL) in LEFT_OUT}


def changed(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of what was read otherwise than it is written; comments are not part of the data."""
    as_written = {*LEFT_OUT, COMMENTS}
    return {reason: count for reason, count in counts.items() if reason.removesuffix(_OF_ALL) not in as_written}


def in_words(counts: Mapping[str, int]) -> str:
    """Counts for a message: `2 records rejected, 1 nested entities dropped`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
