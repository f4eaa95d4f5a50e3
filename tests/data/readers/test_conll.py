"""CoNLL columns: what real files have, and what a broken line is answered with."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.readers.conll import read_conll
from edgener.data.readers.lines import BadLines
from edgener.data.sentences import is_invisible
from edgener.data.types import Sentence, Span
from edgener_runtime.errors import UserInputError

PLAIN = "EU B-ORG\nrejects O\nGerman B-MISC\ncall I-MISC\n\nPeter B-PER\n"
TOKENS = [["EU", "rejects", "German", "call"], ["Peter"]]
TAGS = [["B-ORG", "O", "B-MISC", "I-MISC"], ["B-PER"]]


def read(text: str, skip: bool = False, **columns: Any) -> tuple[list[Sentence], BadLines]:
    bad = BadLines(Path("file.txt"), skip)
    return read_conll(text, bad, **columns)[0], bad


def shown(sentences: list[Sentence]) -> tuple[list[list[str]], list[list[str]]]:
    return [sentence.tokens for sentence in sentences], [sentence.tags() for sentence in sentences]


def columns_of(*columns: str) -> str:
    """PLAIN with other columns about its token {0} and its tag {1}."""
    lines = PLAIN.split("\n")
    return "\n".join("".join(columns).format(*line.split(" ")) if line else "" for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "{0} {1}",
        "{0}\t{1}",
        "{0} NNP B-NP {1}",
        "{0}\tNNP\tB-NP\t{1}",
        "{0}  NNP   {1}",
        "  {0} {1}  ",
        "{0}\t{1}\t",
        "{0}\t\t{1}",
        "7\t{0}\t{1}\tB-INNER",
        "7 {0} {1} O",
        "{0} _ _ {1}",
        "{0} a b c d e f g h {1}",
    ],
)
def test_columns_by_tab_or_space_are_guessed(line: str) -> None:
    assert shown(read(columns_of(line))[0]) == (TOKENS, TAGS)


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("{1} {0}", {"token_column": 1}),
        ("{1} {0}", {"tag_column": 0}),
        ("{1}\tx\t{0}\tB-OTHER", {"token_column": 2, "tag_column": 0}),
        ("{0} {1} B-LAST", {"tag_column": 1}),
        ("7\t{0}\tB-OUTER\t{1}", {"tag_column": 3}),
    ],
)
def test_columns_are_taken_as_named(line: str, columns: dict[str, Any]) -> None:
    assert shown(read(columns_of(line), **columns)[0]) == (TOKENS, TAGS)


def test_one_column_is_tokens_without_entities() -> None:
    sentences, _ = read("EU\nrejects\n\n#\n")
    assert shown(sentences) == ([["EU", "rejects"], ["#"]], [["O", "O"], ["O"]])


def test_a_token_may_hold_spaces_where_tabs_part_columns() -> None:
    assert read("New York\tB-LOC\nis\tO\n")[0][0].tokens == ["New York", "is"]


@pytest.mark.parametrize("blank", ["", "\t", " ", " \t ", "\u3000", "\n\n"])
def test_a_line_of_white_space_ends_a_sentence(blank: str) -> None:
    assert shown(read(PLAIN.replace("\n\n", f"\n{blank}\n"))[0]) == (TOKENS, TAGS)


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\n\t\n \n"])
def test_the_file_may_end_anyhow(end: str) -> None:
    assert shown(read(PLAIN.rstrip("\n") + end)[0]) == (TOKENS, TAGS)


@pytest.mark.parametrize("start", ["-DOCSTART- -X- O O", "-DOCSTART- -X- -X- O", "-DOCSTART-", "-DOCSTART- O"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_document_start_ends_a_sentence_and_is_none(start: str, gap: str) -> None:
    document = start + gap
    text = columns_of("{0} NNP B-NP {1}")
    assert shown(read(document + text.replace("\n\n", "\n" + document) + document)[0]) == (TOKENS, TAGS)


@pytest.mark.parametrize(
    "comment", ["# a comment", "#\thttp://example.org\t[2009-10-17]", "#begin document (a/b); part 000", "## O"]
)
def test_comment_lines_are_left_out_and_counted(comment: str) -> None:
    text = columns_of("7\t{0}\t{1}\tO")
    sentences, bad = read(f"{comment}\n" + text.replace("\n\n", f"\n\n{comment}\n"))
    assert shown(sentences) == (TOKENS, TAGS)
    assert bad.counts == {"comment lines": 2}


@pytest.mark.parametrize("token", ["#", "##", "#1", "#hashtag"])
@pytest.mark.parametrize("line", ["{} O", "{}\tB-X", "{} NN B-NP O"])
def test_a_token_that_begins_with_a_hash_is_not_a_comment(token: str, line: str) -> None:
    usual = line.format("word")
    sentences, bad = read(f"{usual}\n{line.format(token)}\n{usual}\n")
    assert sentences[0].tokens == ["word", token, "word"]
    assert not bad.counts


def test_a_hashtag_with_a_broken_tag_is_a_broken_line_and_no_comment() -> None:
    with pytest.raises(UserInputError, match=r"file\.txt:2: found '#tag\\tperson'"):
        read("word\tO\n#tag\tperson\nword\tB-person\n")


def test_stray_i_begins_an_entity_and_is_counted() -> None:
    sentences, bad = read("a B-X\nb O\nc I-Y\nd I-Y\n\ne I-X\n")
    assert [sentence.spans for sentence in sentences] == [(Span("X", 0, 1), Span("Y", 2, 4)), (Span("X", 0, 1),)]
    assert bad.counts == {"entities that began without B-": 2}


def test_io_and_iob1_have_no_strays() -> None:
    for text in ("a I-X\nb O\nc I-Y\n", "a I-X\nb B-X\nc O\nd I-Y\n"):
        assert not read(text)[1].counts


@pytest.mark.parametrize(
    ("scheme", "text", "says", "like"),
    [
        ("BIOES", "a B-X\nb I-X\nc O\nd B-Y\n", "2 of 2 entities are not written as the scheme BIOES", "IOB2"),
        ("BMES", "a B-X\nb I-X\nc O\n", "the scheme BMES of --scheme has no tags such as its I-X", "IOB2"),
        ("BILOU", "a B-X\nb E-X\nc S-Y\n", "the scheme BILOU of --scheme has no tags such as its E-X, S-Y", "BIOES"),
        ("IOB2", "a B-X\nb M-X\nc E-X\n", "the scheme IOB2 of --scheme has no tags such as its M-X, E-X", "BMES"),
        ("IO", "a B-X\nb I-X\n", "the scheme IO of --scheme has no tags such as its B-X", "IOB2"),
        ("IOB1", "a B-X\nb I-X\nc O\nd B-Y\n", "2 of 2 entities are not written as the scheme IOB1", "IOB2"),
        ("IOB2", "a I-X\nb O\nc I-Y\n", "2 of 2 entities are not written as the scheme IOB2", "IO"),
        ("IOB2", "泵 設備\n漏 O\n", "1 of 1 entities are not written as the scheme IOB2", "IO"),
    ],
)  # fmt: skip
def test_a_named_scheme_that_the_tags_do_not_follow_is_refused(scheme: str, text: str, says: str, like: str) -> None:
    for skip in (False, True):
        with pytest.raises(UserInputError, match=says) as error:
            read(text, skip=skip, scheme=scheme)
        assert error.value.hint == f"Leave out --scheme; the tags look like {like}."


def test_a_named_scheme_overrides_the_guess_where_most_entities_follow_it() -> None:
    text = "a I-X\nb O\nc I-Y\nd O\ne B-Y\n"  # one stray B- makes it look like IOB2
    assert read(text)[1].counts and not read(text, scheme="IOB1")[1].counts
    assert read("a B-X\nb O\nc B-X\n", scheme="IOB2")[1].counts == {}
    assert read("a B-X\nb I-X\nc O\nd S-X\n", scheme="BIOES")[0][0].spans  # B, I and S alone: guessed as BIOES too


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IO", "I-X I-X O I-Y"),
        ("IOB1", "I-X I-X B-X I-Y"),
        ("IOB2", "B-X I-X O B-Y"),
        ("BIOES", "B-X E-X O S-Y"),
        ("BMES", "B-X M-X E-X S-Y"),
        ("BILOU", "B-X L-X O U-Y"),
    ],
)
def test_the_scheme_is_returned(scheme: str, tags: str) -> None:
    text = "".join(f"w {tag}\n" for tag in tags.split())
    bad = BadLines(Path("file.txt"))
    sentences, _, guessed, _ = read_conll(text, bad)
    assert (guessed, +bad.counts) == (scheme, {})
    assert {span.label for span in sentences[0].spans} == {"X", "Y"}


def test_chinese_full_width_and_combining_characters_keep_exact_offsets() -> None:
    sentence = read("上 B-LOC\n海 I-LOC\n的 O\nＡＢＣ B-EQ\ncafe\u0301 O\n\u00a0 O\n水　泵 O\n")[0][0]
    assert sentence.text == "上海的ＡＢＣ cafe\u0301\u00a0水　泵"
    assert sentence.tokens == ["上", "海", "的", "ＡＢＣ", "cafe\u0301", "\u00a0", "水　泵"]
    assert sentence.spans == (Span("LOC", 0, 2), Span("EQ", 3, 4))


def test_a_sentence_of_641_tokens_stays_whole() -> None:
    (sentence,) = read("word O\n" * 640 + "last B-X\n")[0]
    assert len(sentence.offsets) == 641 and sentence.spans == (Span("X", 640, 641),)


def test_sentences_know_the_line_they_begin_on() -> None:
    sentences, _ = read("# c c c\n-DOCSTART- O\n\na O\nb B-X\n\t\n\nc O\n-DOCSTART- O\nd O\n")
    assert [sentence.line for sentence in sentences] == [4, 8, 10]


@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ("rejects", "'rejects'", "a token and a tag such as B-LABEL or O in columns 1 and 2 of 2"),
        ("rejects X", "'rejects X'", "a tag such as"),
        ("New York B-LOC", "'New York B-LOC'", "a tag such as"),
        ("\tO", r"'\tO'", "a token and a tag"),
        ("rejects B-", "'rejects B-'", "a tag such as"),
    ],
)
def test_a_broken_line_is_an_error_with_its_number_or_skipped_and_counted(line: str, found: str, expected: str) -> None:
    text = PLAIN.replace("rejects O", line)
    with pytest.raises(UserInputError) as error:
        read(text)
    assert f"file.txt:2: found {found}, expected" in error.value.message and expected in error.value.message
    assert error.value.hint and "--on-error skip" in error.value.hint
    sentences, bad = read(text, skip=True)
    assert sentences[0].tokens == ["EU", "German", "call"] and len(sentences) == 2
    assert bad.counts == {"broken lines skipped": 1}


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IO", "I-PER I-PER O I-ORG I-ORG I-ORG O I-LOC"),
        ("IOB2", "B-PER I-PER O B-ORG I-ORG I-ORG O B-LOC"),
        ("BIOES", "B-PER E-PER O B-ORG I-ORG E-ORG O S-LOC"),
        ("BILOU", "B-PER L-PER O B-ORG I-ORG L-ORG O U-LOC"),
        ("BMES", "B-PER E-PER O B-ORG M-ORG E-ORG O S-LOC"),
        ("IO", "PER PER O ORG ORG ORG O LOC"),
    ],
)
def test_one_text_has_the_same_entities_in_every_scheme(scheme: str, tags: str) -> None:
    words = ["Mira", "Weber", "joins", "Otto", "Lathe", "Works", "in", "Basel"]
    text = "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags.split(), strict=True))
    reading = read_conll(text, BadLines(Path("file.txt")))
    assert reading.scheme == scheme
    assert reading.sentences[0].spans == (Span("PER", 0, 2), Span("ORG", 3, 6), Span("LOC", 7, 8))


def test_names_of_labels_without_a_prefix_are_the_scheme_io() -> None:
    reading = read_conll("EU ORG\nOffice ORG\nrejects O\n\nPeter PER\n. O\n", BadLines(Path("file.txt")))
    assert shown(reading.sentences)[1] == [["B-ORG", "I-ORG", "O"], ["B-PER", "O"]] and reading.scheme == "IO"
    for tags in (("B_ORG", "I_ORG"), ("B", "I"), ("ORG-B", "ORG-I")):
        with pytest.raises(UserInputError, match=r"no column holds tags|a tag such as B-LABEL"):
            read("EU {}\nOffice {}\nrejects O\nit O\n".format(*tags))


@pytest.mark.parametrize("token", ["\u200b", "\ufeff", "\u00ad", "\u2060\u200d", "\u3164", "\u00a0"])
def test_an_invisible_token_opens_no_entity(token: str) -> None:
    sentences, bad = read(f"x O\n{token} B-PER\nMira I-PER\nWeber I-PER\n{token} I-PER\nleft O\n")
    assert sentences[0].spans == (Span("PER", 2, 4),) and sentences[0].tokens[1] == token
    assert bad.counts == {"entities that began or ended with invisible characters": 1}
    sentences, bad = read(f"x O\n{token} B-PER\nleft O\n")
    dropped = "white space" if token.isspace() else "invisible characters"
    assert sentences[0].spans == () and bad.counts == {f"entities of {dropped} dropped": 1}


def test_two_columns_in_a_file_of_tokens_are_a_broken_line() -> None:
    with pytest.raises(UserInputError, match=r"file\.txt:3: found 'c d', expected a token and no other column"):
        read("a\nb\nc d\ne\n")


def test_a_broken_index_does_not_change_what_the_columns_mean() -> None:
    lines = [f"{number}\tword\tB-OUT\tB-IN" for number in range(1, 30)]
    lines[7] = "x\tword\tB-OUT\tB-IN"
    sentence = read("\n".join(lines))[0][0]
    assert set(sentence.tokens) == {"word"} and {span.label for span in sentence.spans} == {"OUT"}


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a b\nc d\n", {}, "no column holds tags"),
        ("a O\nc O\n", {"token_column": 2}, "column 3 was asked for; its lines have 2"),
        ("a O\nc O\n", {"tag_column": 4}, "column 5 was asked for; its lines have 2"),
        ("a O\nc O\n", {"token_column": 1, "tag_column": 1}, "column 2 cannot hold both"),
        ("O\nO\n", {"tag_column": 0}, "column 1 cannot hold both"),
    ],
)
def test_columns_that_are_not_there_are_refused(text: str, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserInputError) as error:
        read(text, **columns)
    assert message in error.value.message
    assert error.value.hint and "--tag-column 2" in error.value.hint


@pytest.mark.parametrize("text", ["", "\n\n", "\t\n", "-DOCSTART- O\n\n", "# only a comment\n"])
def test_a_file_without_tokens_has_no_sentences(text: str) -> None:
    assert read(text)[0] == []


def as_iob1(line: str, before: str) -> str:
    """A line of IOB2 columns in IOB1, where B- stands only behind an entity of the same label."""
    columns, tag = line.rpartition(" ")[0], line.rpartition(" ")[2]
    return f"{columns} I{tag[1:]}" if tag.startswith("B-") and not before.endswith(f"-{tag[2:]}") else line


def test_iob1_copies_of_conll_2003_are_the_same_annotation(real_data: Path) -> None:
    text = (real_data / "conll2003" / "test.txt").read_text()
    lines = text.split("\n")
    copy = "\n".join(as_iob1(line, before) for before, line in pairwise(["", *lines]))
    tags = Counter(line.rpartition(" ")[2] for line in copy.split("\n"))
    assert (tags["B-ORG"], tags["B-MISC"], tags["B-LOC"], tags["I-PER"]) == (5, 9, 6, 2773)

    sentences, bad = read(text)
    assert Counter(tag for sentence in sentences for tag in sentence.tags()) == {
        "B-LOC": 1668, "I-LOC": 257, "B-MISC": 702, "I-MISC": 216, "B-ORG": 1661, "I-ORG": 835, "B-PER": 1617,
        "I-PER": 1156, "O": 38323,
    }  # fmt: skip
    assert read(copy)[0] == sentences and not bad.counts
    assert read_conll(copy, bad).scheme == "IOB1"


CHARACTERS = st.characters(exclude_categories=["Cs", "Cc", "Z"])
WORDS = st.text(CHARACTERS, min_size=1, max_size=6).filter(lambda word: not all(map(is_invisible, word)))


@given(
    sentences=st.lists(
        st.lists(st.tuples(WORDS, st.sampled_from(["O", "B-X", "B-设备"])), min_size=1, max_size=6),
        min_size=1,
        max_size=4,
    ),
    separator=st.sampled_from(["\t", " "]),
    blank=st.sampled_from(["", "\t", " "]),
)
def test_what_is_written_in_columns_is_read(sentences: list[list[tuple[str, str]]], separator: str, blank: str) -> None:
    blocks = ("".join(f"{word}{separator}{tag}\n" for word, tag in sentence) for sentence in sentences)
    anchor = f"word{separator}O\n"  # a file of words that all begin with # would be one of comments
    read_back, bad = read(anchor + f"{blank}\n".join(["", *blocks]))
    assert shown(read_back[1:]) == ([[w for w, _ in s] for s in sentences], [[t for _, t in s] for s in sentences])
    assert not bad.counts


@given(text=st.text(st.sampled_from("aB-IO X#\t\n 1"), max_size=40), skip=st.booleans())
def test_any_text_is_read_or_refused(text: str, skip: bool) -> None:
    try:
        sentences, _ = read(text, skip)
    except UserInputError:
        return
    assert all(sentence.offsets for sentence in sentences)
