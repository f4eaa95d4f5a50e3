"""Checkpoints of every label scheme: scored, exported and decoded as their labels mean them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.bundle.manifest import read_manifest

from ..lookup import edit_config, lookup_checkpoint

# The labels of the first, an inner, the last and the only token of an entity.
STYLES = {
    "IOB2": ("B-{}", "I-{}", "I-{}", "B-{}"),
    "IOB1": ("I-{}", "I-{}", "I-{}", "I-{}"),
    "IO": ("I-{}", "I-{}", "I-{}", "I-{}"),
    "PLAIN": ("{}", "{}", "{}", "{}"),
    "BIOES": ("B-{}", "I-{}", "E-{}", "S-{}"),
    "BMES": ("b_{}", "m_{}", "e_{}", "s_{}"),
    "BILOU": ("B-{}", "I-{}", "L-{}", "U-{}"),
    "BIOS": ("B-{}", "I-{}", "I-{}", "S-{}"),
    "BIOE": ("B-{}", "I-{}", "E-{}", "B-{}"),
}
ENTITIES = {  # each word is in one entity alone
    "HUMAN-NAME": ("Mira", "Ola Berg", "Jo van Dyk"),
    "TOWN": ("Oslo", "San Juan"),
    "FIRM": ("Acme", "Red Oak Mill", "Blue Fox Steel Works"),
}
SENTENCES = (
    "Mira left Acme in Oslo .",
    "Then Ola Berg sold Red Oak Mill .",
    "San Juan saw Jo van Dyk and Mira .",
    "Blue Fox Steel Works , Oslo",
    "nobody was there",
)
TYPES = tuple(ENTITIES)
Entities = list[tuple[str, str]]


def words_of(scheme: str) -> Iterator[tuple[str, str]]:
    """Each word of an entity with its label."""
    first, inner, last, only = STYLES[scheme]
    for kind, entities in ENTITIES.items():
        for entity in entities:
            words = entity.lower().split()
            styles = [only] if len(words) == 1 else [first, *[inner] * (len(words) - 2), last]
            yield from ((word, style.format(kind)) for word, style in zip(words, styles, strict=True))


def names_of(scheme: str) -> list[str]:
    styles = ("B-{}", "I-{}") if scheme == "IOB1" else dict.fromkeys(STYLES[scheme])
    return ["O", *(style.format(kind) for kind in TYPES for style in styles)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`checkpoint("BIOES")` makes a checkpoint of a scheme in which every entity is found."""

    def make(scheme: str, names: Sequence[str] = (), **said: str) -> Path:
        folder = tmp_path_factory.mktemp(scheme) / scheme
        known = [*names_of(scheme), *names]
        others = {word.lower(): "O" for sentence in SENTENCES for word in sentence.split()}
        return lookup_checkpoint(folder, known, others | dict(words_of(scheme)) | said)

    return make


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`data("IO")` writes the sentences with tags in a scheme."""

    def write(scheme: str) -> Path:
        tags = dict(words_of(scheme))
        file = tmp_path_factory.mktemp("data") / f"{scheme}.conll"
        sentences = ("\n".join(f"{word}\t{tags.get(word.lower(), 'O')}" for word in s.split()) for s in SENTENCES)
        file.write_text("\n\n".join(sentences) + "\n", encoding="utf-8")
        return file

    return write


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert "Traceback" not in done.output and (done.exception is None or isinstance(done.exception, SystemExit))
    return done


def f1(*arguments: object) -> Any:
    done = run("evaluate", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["entities"]["micro"]["f1"]


def exported(checkpoint: Path, *arguments: object) -> Path:
    bundle = checkpoint.parent / "bundle"
    done = run("export", checkpoint, "--out", bundle, "--variant", "fp32", *arguments)
    assert done.exit_code == 0, done.output
    return bundle


def gold() -> list[Entities]:
    """(type, text) of the entities of each sentence."""
    found = [
        [(sentence.index(text), kind, text) for kind, texts in ENTITIES.items() for text in texts if text in sentence]
        for sentence in SENTENCES
    ]
    return [[(kind, text) for _, kind, text in sorted(each)] for each in found]


def predicted(bundle: Path, *decodings: Decoding, texts: Sequence[str] = SENTENCES) -> list[list[Entities]]:
    with TokenClassifier.load(bundle, "cpu") as classifier:
        answers = [classifier.predict_batch(texts, decoding) for decoding in decodings]
    return [[[(entity.label, entity.text) for entity in entities] for entities in answer] for answer in answers]


EVERY_WAY = [Decoding(aggregation, strict) for aggregation in ("simple", "first", "max") for strict in (False, True)]


@pytest.mark.parametrize("scheme", STYLES)
def test_a_scheme_is_used_everywhere(scheme: str, checkpoint: Callable[..., Path], data: Callable[[str], Path]) -> None:
    model = checkpoint(scheme)
    for other in ("IOB2", "IO", "BIOES"):
        assert f1(model, "--data", data(other)) == 1, other
    shown = run("evaluate", model, "--data", data("IO"))
    assert f"label scheme {scheme}\n" in shown.stdout
    assert all(label in shown.stdout for label in dict(words_of(scheme)).values())

    bundle = exported(model, "--data", data("IOB2"))
    assert read_manifest(bundle).scheme == scheme
    assert f1(bundle, "--data", data("BIOES")) == 1
    report = json.loads((bundle / "parity.json").read_text(encoding="utf-8"))[0]
    assert (report["scheme"], report["scores"]["micro"]["f1"], report["verdict"]) == (scheme, 1, "pass")
    assert set(report["estimates"]["labels"]) == {*TYPES}
    for way, answer in zip(EVERY_WAY, predicted(bundle, *EVERY_WAY), strict=True):
        assert answer == gold(), way


def test_export_shows_the_scheme(checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path) -> None:
    model = checkpoint("BMES")
    shown = run("export", model, "--out", tmp_path / "one", "--variant", "fp32", "--data", data("IO"))
    assert "label scheme BMES\n" in shown.stdout
    assert "Labels are in the scheme BMES." in (tmp_path / "one" / "parity.md").read_text(encoding="utf-8")
    printed = run("export", model, "--out", tmp_path / "two", "--variant", "fp32", "--data", data("IO"), "--json")
    labels = json.loads(printed.stdout)["labels"]
    assert (labels["scheme"], labels["outside"], labels["names"]) == ("BMES", "O", names_of("BMES"))


def test_a_quantised_variant_of_an_iob1_model_passes_the_gate(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    arguments = ("--variant", "int8-dynamic,fp32", "--data", data("IOB2"), "--max-f1-drop", "0.9")
    done = run("export", checkpoint("IOB1"), "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 0, done.output


def test_in_iob1_a_second_entity_of_a_type_begins_with_b(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    model = checkpoint("IOB1", nils="B-HUMAN-NAME")
    file = tmp_path / "data.conll"
    file.write_text("Mira B-HUMAN-NAME\nNils B-HUMAN-NAME\nin O\nOslo B-TOWN\n", encoding="utf-8")
    assert f1(model, "--data", file) == 1
    bundle = exported(model, "--data", file)
    assert read_manifest(bundle).scheme == "IOB1"
    for answer in predicted(bundle, *EVERY_WAY, texts=["Mira Nils in Oslo"]):
        assert answer == [[("HUMAN-NAME", "Mira"), ("HUMAN-NAME", "Nils"), ("TOWN", "Oslo")]]


def test_subwords_of_a_word_may_all_have_its_label(
    checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    said = {"keller": "S-HUMAN-NAME", "##mann": "S-HUMAN-NAME", "##dyk": "E-HUMAN-NAME"}
    bundle = exported(checkpoint("BIOES", **said), "--data", data("IO"))
    for answer in predicted(bundle, *EVERY_WAY, texts=["Kellermann saw Jo van Dykdyk", "Keller Keller"]):
        assert answer[0] == [("HUMAN-NAME", "Kellermann"), ("HUMAN-NAME", "Jo van Dykdyk")]
        assert answer[1] == [("HUMAN-NAME", "Keller")] * 2


def test_chinese_characters_in_bmes(tmp_path: Path) -> None:
    said = {"张": "B-人名", "小": "M-人名", "三": "E-人名", "泵": "S-设备", "修": "O", "好": "O"}
    labels = ("O", *(f"{prefix}-{kind}" for kind in ("人名", "设备") for prefix in "BMES"))
    model, file = lookup_checkpoint(tmp_path / "model", labels, said), tmp_path / "data.conll"
    file.write_text("张 B-人名\n小 M-人名\n三 E-人名\n修 O\n好 O\n泵 S-设备\n泵 S-设备\n", encoding="utf-8")
    assert f1(model, "--data", file) == 1
    bundle = exported(model, "--data", file)
    for answer in predicted(bundle, *EVERY_WAY, texts=["张小三修好泵泵"]):
        assert answer == [[("人名", "张小三"), ("设备", "泵"), ("设备", "泵")]]


# --- the outside label, names, ignored labels


@pytest.mark.parametrize(("scheme", "outside"), [("IOB2", "OTHER"), ("BILOU", "_"), ("PLAIN", "none"), ("IO", "o")])
def test_an_outside_label_of_another_name_is_refused_or_taken(
    scheme: str, outside: str, checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    names = [outside, *names_of(scheme)[1:]]
    model = edit_config(checkpoint(scheme), id2label=dict(enumerate(names)))
    for command in (["evaluate", model], ["export", model, "--out", tmp_path / "out"]):
        done = run(*command, "--data", data("IOB2"))
        assert done.exit_code == 2 and f"--outside-label {outside}" in done.stderr
    assert not (tmp_path / "out").exists()
    named = ("--outside-label", outside)
    assert f1(model, "--data", data("IOB2"), *named) == 1
    assert f"outside label {outside}" in run("evaluate", model, "--data", data("IOB2"), *named).stdout
    bundle = exported(model, "--data", data("IOB2"), *named)
    assert f"--outside-label {outside}" in (bundle / "reproduce.sh").read_text(encoding="utf-8")
    assert f1(bundle, "--data", data("IOB2")) == 1
    assert predicted(bundle, *EVERY_WAY) == [gold()] * len(EVERY_WAY)
    with TokenClassifier.load(bundle) as classifier:
        assert classifier.tag(["there", "\u200b"]) == [outside] * 2
        assert classifier.predict("nobody was there", Decoding("none")) == []


def test_names_replace_those_of_the_checkpoint(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    names = names_of("BIOES")
    model = edit_config(checkpoint("BIOES"), id2label={n: f"LABEL_{n}" for n in range(len(names))}, label2id=None)
    done = run("evaluate", model, "--data", data("IOB2"))
    assert done.exit_code == 2 and f"Give {len(names)} names" in done.stderr and "--model-labels" in done.stderr
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(names), encoding="utf-8")
    for given in (",".join(names), file):
        assert f1(model, "--data", data("IOB2"), "--model-labels", given) == 1
    bundle = exported(model, "--data", data("IOB2"), "--model-labels", file)
    assert read_manifest(bundle).labels == tuple(names)
    assert f"--model-labels {','.join(names)}" in (bundle / "reproduce.sh").read_text(encoding="utf-8")
    assert predicted(bundle, Decoding(strict=True)) == [gold()]
    few = run("evaluate", model, "--data", data("IOB2"), "--model-labels", "O,B-X")
    assert few.exit_code == 2 and f"2 names of labels are given; {model}/config.json has {len(names)}" in few.stderr


def test_a_bundle_has_its_labels(exported: Path) -> None:
    for option in (["--model-scheme", "IO"], ["--outside-label", "O"], ["--model-labels", "O,B-X"]):
        done = run("evaluate", exported, "--data", "builtin:factory", *option)
        assert done.exit_code == 2 and "Leave out --model-labels" in done.stderr


@pytest.mark.parametrize("special", ["X", "[CLS]", "<pad>"])
def test_labels_of_special_tokens_are_no_entities(
    special: str, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    said = {"##dyk": special, "there": special}
    model = checkpoint("IOB2", [special], **said)
    shown = run("evaluate", model, "--data", data("IO"))
    assert f"ignored labels {special}\n" in shown.stdout
    bundle = exported(model, "--data", data("IO"))
    assert read_manifest(bundle).ignored_labels == (special,)
    assert predicted(bundle, *EVERY_WAY) == [gold()] * len(EVERY_WAY)
    # X on the second subword of a word
    for answer in predicted(bundle, *EVERY_WAY[:4], texts=["Jo van Dykdyk ."]):
        assert answer == [[("HUMAN-NAME", "Jo van Dykdyk")]]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [(lambda n: n + 1, "id2label counts from 1 to 7"), (lambda n: n + (n > 2), "none for 3")],
)
def test_numbers_that_are_wrong_are_named(
    numbers: Callable[[int], int], words: str, checkpoint: Callable[..., Path], data: Callable[[str], Path]
) -> None:
    names = names_of("IOB2")
    wrong = {str(numbers(n)): name for n, name in enumerate(names)}
    model = edit_config(checkpoint("IOB2"), id2label=wrong, label2id=None, num_labels=None)
    for command in (["evaluate", model], ["export", model, "--out", model.parent / "out"]):
        done = run(*command, "--data", data("IOB2"))
        assert done.exit_code == 2 and words in done.stderr and "config.json" in done.stderr
