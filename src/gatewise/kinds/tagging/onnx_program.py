"""Python that tags texts with an exported tagger, onnxruntime and numpy alone. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.export.to_onnx.programs import MODEL, assembled, source_of
from gatewise.kinds.tagging import schemes, tokenisation, vocabulary

__all__ = ["program_of"]

_DOES = "Tags texts: python answer.py TEXT ..."
_WORDS = r"""
vocabulary = about["vocabulary"]
words_known = {word: number for number, word in enumerate(vocabulary["words"], 2)}
signs_known = {sign: number for number, sign in enumerate(vocabulary["characters"], 2)}
"""
_SPELL = r'''
def spell(word):
    """The numbers of a word's characters; of a long word its first and last ones."""
    most = about["max_characters"]
    if len(word) > most:
        word = word[: most - most // 2] + word[len(word) - most // 2 :]
    return [signs_known.get(sign, 1) for sign in word]
'''
_TAGS = r'''
def tags_of(words):
    """The most probable tags of a sentence, as the network was trained on them."""
    given = {"words": np.array([[words_known.get(normalise(word), 1) for word in words]])}
    if "characters" in about["inputs"]:
        spelt = [spell(word) for word in words]
        longest = max(map(len, spelt))
        given["characters"] = np.array([[each + [0] * (longest - len(each)) for each in spelt]])
        given["characters_lengths"] = np.array([[len(each) for each in spelt]])
    if "shapes" in about["inputs"]:
        given["shapes"] = np.array([[shape_of(word) for word in words]])
    (found,) = session.run(["tags"], {**given, "lengths": np.array([len(words)])})
    return [about["tags"][number] for number in found[0]]
'''
_SPANS = r'''
def as_written(spans, count):
    """The tags of spans in the scheme of the training file."""
    scheme = about["tag_set"]["scheme"]
    last, single = {"iobes": "ES", "bilou": "LU"}.get(scheme, (None, None))
    tags, before = ["O"] * count, Span(0, 0, "")
    for span in spans:
        letters = ["I"] * (span.end - span.start)
        follows = before.end == span.start > 0 and before.type == span.type
        if scheme != "iob1" or follows:
            letters[0] = "B"
        if last is not None:
            letters[-1] = last if len(letters) > 1 else single
        tags[span.start : span.end] = [f"{letter}-{span.type}" if span.type else letter for letter in letters]
        before = span
    return tags
'''
_ANSWERS = """
for text in sys.argv[1:] or ["Maria Curie worked in Paris."]:
    cut = tokenise(text)
    words = [word for word, _, _ in cut]
    if not words:
        sys.exit(f"there is no word in {text!r}")
    tags, entities = tags_of(words), []
"""
_OF_SPANS = """\
    spans = spans_as_conlleval(tags)
    tags = as_written(spans, len(words))
    for span in spans:
        start, end = cut[span.start][1], cut[span.end - 1][2]
        entities.append({"label": span.type, "text": text[start:end], "start": start, "end": end})
"""
_PRINT = """\
    offsets = [[start, end] for _, start, end in cut]
    answer = {"text": text, "words": words, "offsets": offsets, "tags": tags, "entities": entities}
    print(json.dumps(answer, ensure_ascii=False))
"""


def program_of(inputs: Sequence[str], *, marks_spans: bool) -> str:
    """The program, which prints what ``gatewise predict --json`` does.

    Args:
        inputs: of the graph.
        marks_spans: whether the tags mark spans; else they are plain.
    """
    read = [source_of(vocabulary.normalise)]
    known = f"_DIGIT = re.compile({vocabulary._DIGIT.pattern!r})\n"
    if "characters" in inputs:
        read.append(_SPELL)
    if "shapes" in inputs:
        known += f"_NUMBER = re.compile({vocabulary._NUMBER.pattern!r})\nSHAPES = {vocabulary.SHAPES!r}\n"
        read.append(source_of(vocabulary.shape_of))
    spans: list[str] = []
    if marks_spans:
        known += f"_ENDINGS, _SINGLES = {schemes._ENDINGS!r}, {schemes._SINGLES!r}\n"
        known += 'Span = collections.namedtuple("Span", "start end type")\n'
        spans = [source_of(schemes.split_tag), source_of(schemes.spans_as_conlleval), _SPANS]
    cut = source_of(tokenisation).replace("@cache", "@functools.cache")
    answers = _ANSWERS + (_OF_SPANS if marks_spans else "") + _PRINT
    parts = [MODEL + _WORDS.lstrip("\n") + known, cut, *read, _TAGS, *spans, answers]
    return assembled(_DOES, ["collections", "functools", "re", "unicodedata"], *parts)
