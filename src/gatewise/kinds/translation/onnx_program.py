"""Python that translates with an exported translator, onnxruntime and numpy alone. Imports no torch."""

from __future__ import annotations

from gatewise.export.to_onnx.programs import BYTE_PAIRS, SEARCH, SPACES, TEXT_OF_PIECES, assembled

__all__ = ["program_of"]

_DOES = "Translates sentences: python answer.py SENTENCE ..."
_ANSWERS = """
source = about["source_subwords"]["tokenizer"]
target = (about["target_subwords"] or about["source_subwords"])["tokenizer"]
numbers = {piece: number + 3 for piece, number in source["model"]["vocab"].items()}  # after padding, begin and end
pieces = {number + 3: piece for piece, number in target["model"]["vocab"].items()}
for text in sys.argv[1:] or ["A dog runs."]:
    read = [numbers[piece] for piece in pieces_of(" ".join(text.split()), source)]
    found = []
    if read:
        read.append(about["end"])
        found = written({"source": np.array([read]), "lengths": np.array([len(read)])}, len(read))
    translation = text_of(pieces[number] for number in found if number in pieces).strip()
    print(json.dumps({"source": text, "translation": translation}, ensure_ascii=False))
"""


def program_of() -> str:
    """The program, which prints what ``gatewise translate --json`` does."""
    return assembled(_DOES, ["re", "unicodedata"], SPACES, BYTE_PAIRS, TEXT_OF_PIECES, SEARCH, _ANSWERS)
