"""A language model that was exported: the likeliest next tokens without torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from gatewise.errors import DataError
from gatewise.kinds.language_modelling.tokens import TokenVocabulary
from gatewise.screen import say
from gatewise.training.request import blank_note, given_texts, say_that_typed_texts_are_read

if TYPE_CHECKING:
    from gatewise.training.kind import ExportedModel, Request

__all__ = ["ExportedLanguageModel"]

_NEXT = 10
_BAR = 40


class ExportedLanguageModel:
    """An exported model that says which token comes next.

    Args:
        model: the model.
    """

    def __init__(self, model: ExportedModel) -> None:
        self.model = model
        self.vocabulary = TokenVocabulary.from_dict(model.metadata["vocabulary"])
        self.start: int = model.metadata["start"]

    def next_tokens(self, prompt: str, count: int = _NEXT) -> list[tuple[str, float]]:
        """The likeliest next tokens after a prompt, with their probabilities, the likeliest first."""
        tokens = np.concatenate([[self.start], self.vocabulary.encode_prompt(prompt)]).astype(np.int64)
        (found,) = self.model.run([{"tokens": tokens}])["log_probabilities"]
        chances = np.exp(found[-1].astype(np.float64))
        best = np.argsort(-chances, kind="stable")[:count]
        return [(self.vocabulary.shown(int(number)), float(chances[number])) for number in best]

    def predict_command(self, request: Request) -> None:
        """Print the likeliest next tokens after each text, or after each line of a file or of standard input.

        Raises:
            DataError: there is no text.
        """
        say_that_typed_texts_are_read(request, "beginnings of texts")
        count, blank = 0, list[int]()
        for prompt in given_texts(request):
            count += 1
            if not (request.inputs or prompt.strip()):
                blank.append(count)
                print(json.dumps({"prompt": prompt, "tokens": None}) if request.as_json else "–    (blank)")
                continue
            found = self.next_tokens(prompt)
            if request.as_json:
                tokens = [{"token": token, "probability": chance} for token, chance in found]
                print(json.dumps({"prompt": prompt, "tokens": tokens}, ensure_ascii=False))
                continue
            width = max(len(token) for token, _ in found)
            for token, chance in found:
                print(f"{token:<{width}}  {100 * chance:5.1f} %  {'█' * round(_BAR * chance)}".rstrip())
        if count == len(blank):
            raise DataError("there is no beginning of a text", fix="give it after the model, in quotes")
        if blank:
            say(f"Note: {blank_note(blank, count)}", err=True)
