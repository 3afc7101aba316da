"""Count-based models: interpolated Kneser-Ney with modified discounts, and the unigram. Needs no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError

__all__ = ["KneserNey", "Unigram"]

Tokens = npt.NDArray[np.int32]
_Integers = npt.NDArray[np.int64]
_Reals = npt.NDArray[np.float64]
_AT_ONCE = 200_000


class Unigram:
    """Unigram frequencies with add-one smoothing.

    Example:
        >>> model = Unigram().fit(np.array([0, 0, 1], dtype=np.int32), 3)
        >>> np.exp(-model.losses(np.array([0, 1, 2]))).tolist()
        [0.5..., 0.333..., 0.166...]
    """

    def fit(self, tokens: Tokens, vocabulary_size: int) -> Unigram:
        """Count."""
        counts = np.bincount(tokens, minlength=vocabulary_size) + 1.0
        self._losses = -np.log(counts / counts.sum())
        return self

    @property
    def parameters(self) -> int:
        """One frequency per token."""
        return len(self._losses)

    def losses(self, tokens: Tokens) -> _Reals:
        """Each token's negative log-likelihood, in nats: (N,)."""
        losses: _Reals = self._losses[tokens]
        return losses


class _Order:
    """All k-grams of the training text for one k, and their contexts.

    A k-gram's key is made of the number of its last k-1 tokens' gram and its first token, so each order looks up one
    integer per position.

    Attributes:
        keys: sorted keys of the k-grams.
        counts: adjusted counts, see `KneserNey`.
        contexts: sorted keys of the contexts.
        totals: sum of the counts after each context.
        reserved: mass that discounting removes from each context's counts.
        discounts: for counts of 1, 2 and at least 3.
    """

    def __init__(self, keys: _Integers, counts: _Integers, contexts: _Integers, different: int) -> None:
        self.keys, self.counts = keys, counts
        self.discounts = _discounts(counts, different)
        self.contexts, places = np.unique(contexts, return_inverse=True)
        self.totals = np.bincount(places, weights=counts)
        self.reserved = np.bincount(places, weights=self.discounts[np.minimum(counts, 3)])


class KneserNey:
    """Interpolated Kneser-Ney of order n with modified discounts (Kneser and Ney, 1995; Chen and Goodman, 1998).

    ::

        p(w | c) = (count(c w) - D[count(c w)]) / total(c) + reserved(c) / total(c) * p(w | c without its first token)

    The highest order counts how often a k-gram occurs; the lower ones count how many different tokens it follows, its
    continuation count. The unigram is interpolated with the uniform distribution. Contexts begin at the last end
    of a line; k-grams that begin there cannot follow anything and keep their plain counts.

    Args:
        order: n.
        discounts: how many counts have a discount of their own: 3 (Chen and Goodman's, for counts of 1, 2 and more), 2,
            or 1, the same for every count, as Kneser and Ney had it.

    Raises:
        OptionError: the order is below 1, or the number of discounts is none of these.

    Example:
        >>> model = KneserNey(3).fit(np.array([1, 2, 3, 0, 1, 2, 4, 0], dtype=np.int32), 5, end=0)
        >>> chances = model.distribution(np.array([1, 2]))
        >>> chances.argmax().item() in (3, 4), round(chances.sum().item(), 6)
        (True, 1.0)
    """

    def __init__(self, order: int = 5, discounts: int = 3) -> None:
        if order < 1:
            raise OptionError("order is out of range", expected="a whole number of at least 1", got=order)
        if discounts not in (1, 2, 3):
            raise OptionError("discounts is out of range", expected="1, 2 or 3", got=discounts)
        self.order, self.discounts = order, discounts
        self._orders: list[_Order] = []

    def fit(self, tokens: Tokens, vocabulary_size: int, end: int | None = None) -> KneserNey:
        """Count.

        Args:
            tokens: (N,) the training text.
            vocabulary_size: V.
            end: the token that ends a line, before which no context reaches; None: there is none.
        """
        self.vocabulary_size, self._end = vocabulary_size, end
        windows = self._windows(tokens)
        self._orders = []
        grams: list[_Integers] = []
        keys, places, numbers = self._unique(windows[:, -1])
        grams.append(numbers)
        raw = [(keys, places, np.bincount(numbers, minlength=len(keys)))]
        for k in range(2, self.order + 1):
            first = windows[:, -k]
            usable = (first >= 0) & (grams[-1] >= 0)
            key = np.where(usable, grams[-1] * vocabulary_size + first, -1)
            keys, places, numbers = self._unique(key)
            grams.append(numbers)
            raw.append((keys, places, np.bincount(numbers[numbers >= 0], minlength=len(keys))))
        for k in range(1, self.order + 1):
            keys, places, counts = raw[k - 1]
            if k < self.order:
                counts = self._continuations(windows, places, raw[k][0], counts, k)
            contexts = np.zeros(len(keys), np.int64) if k == 1 else self._context_keys(windows[places], k)
            self._orders.append(_Order(keys, counts, contexts, self.discounts))
        return self

    def _continuations(
        self, windows: _Integers, places: _Integers, longer: _Integers, plain: _Integers, k: int
    ) -> _Integers:
        """How many different tokens each k-gram follows; of those that begin a line, how often they occur."""
        kinds = np.bincount(longer // self.vocabulary_size, minlength=len(places))
        begins = windows[places, -k] == self._end if k > 1 and self._end is not None else np.zeros(len(places), bool)
        return np.where(begins | (kinds == 0), plain, kinds).astype(np.int64)

    @property
    def parameters(self) -> int:
        """Counts that are kept, and the weights of their contexts."""
        return sum(len(order.keys) + len(order.contexts) for order in self._orders)

    def losses(self, tokens: Tokens) -> _Reals:
        """Each token's negative log-likelihood given those before it, in nats: (N,)."""
        windows = self._windows(tokens)
        parts = [self._chances(windows[first : first + _AT_ONCE]) for first in range(0, len(windows), _AT_ONCE)]
        return -np.log(np.concatenate(parts)) if parts else np.zeros(0)

    def distribution(self, context: npt.NDArray[Any]) -> _Reals:
        """The probability of every token after a context: (V,)."""
        last = self._windows(np.append(np.asarray(context, dtype=np.int32), np.int32(0)))[-1]
        windows = np.repeat(last[None], self.vocabulary_size, axis=0)
        windows[:, -1] = np.arange(self.vocabulary_size)
        return self._chances(windows)

    def _windows(self, tokens: Tokens) -> _Integers:
        """Each token with the n-1 before it: (N, n); -1 where a context does not reach."""
        count, reach = len(tokens), self.order - 1
        head = [-1] * max(0, reach - 1) + [-1 if self._end is None else self._end] * min(1, reach)
        padded = np.concatenate([np.array(head, dtype=np.int64), np.asarray(tokens, dtype=np.int64)])
        windows = np.stack([padded[place : place + count] for place in range(self.order)], axis=1)
        if self._end is not None:
            for place in range(reach - 1, -1, -1):
                cut = (windows[:, place + 1] == self._end) | (windows[:, place + 1] == -1)
                if place + 1 < reach:
                    windows[cut, place] = -1
        return windows

    def _chances(self, windows: _Integers) -> _Reals:
        chances = np.full(len(windows), 1.0 / self.vocabulary_size)
        gram = self._find(self._orders[0].keys, windows[:, -1])
        for k, order in enumerate(self._orders, start=1):
            if len(order.keys) == 0:  # no line of the training text is as long
                break
            if k > 1:
                usable = (windows[:, -k] >= 0) & (gram >= 0)
                gram = self._find(order.keys, np.where(usable, gram * self.vocabulary_size + windows[:, -k], -1))
                context = self._find(order.contexts, self._context_keys(windows, k))
            else:
                context = np.zeros(len(windows), np.int64)
            known = context >= 0
            counts = np.where(gram >= 0, order.counts[gram], 0)
            kept = counts - order.discounts[np.minimum(counts, 3)]
            totals = np.where(known, order.totals[context], 1.0)
            found = (kept + order.reserved[context] * chances) / totals
            chances = np.where(known, found, chances)
        return chances

    def _context_keys(self, windows: _Integers, k: int) -> _Integers:
        """The key of the k-1 tokens before the last one: that of their gram among the grams of order k-1; else -1."""
        gram = self._find(self._keys_of(1), windows[:, -2])
        for inner in range(2, k):
            first = windows[:, -1 - inner]
            usable = (first >= 0) & (gram >= 0)
            gram = self._find(self._keys_of(inner), np.where(usable, gram * self.vocabulary_size + first, -1))
        return gram

    def _keys_of(self, k: int) -> _Integers:
        return self._orders[k - 1].keys

    @staticmethod
    def _unique(keys: _Integers) -> tuple[_Integers, _Integers, _Integers]:
        """Sorted keys that are not -1, a place where each occurs, and each place's number among them (-1: none)."""
        found, places, numbers = np.unique(keys, return_index=True, return_inverse=True)
        numbers = numbers.astype(np.int64)
        if len(found) and found[0] < 0:
            return found[1:], places[1:], numbers - 1
        return found, places, numbers

    @staticmethod
    def _find(keys: _Integers, wanted: _Integers) -> _Integers:
        """The numbers of wanted keys; -1 where there is none."""
        if len(keys) == 0:
            return np.full(len(wanted), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((keys[places] == wanted) & (wanted >= 0), places, -1)


def _discounts(counts: _Integers, different: int) -> _Reals:
    """Chen and Goodman's discounts for counts of 0, 1, 2 and at least 3, from how many k-grams have each count.

    With fewer than three ``different`` ones, a larger count has the discount of the last.
    One half where a short text leaves the formula undefined: without a discount, unseen tokens would be impossible.
    """
    once, twice, thrice, four = (int(np.sum(counts == number)) for number in (1, 2, 3, 4))
    if min(once, twice) == 0:
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = once / (once + 2 * twice)
    first = 1 - 2 * share * twice / once
    second = 2 - 3 * share * thrice / twice
    third = 3 - 4 * share * four / thrice if thrice else second
    found = np.minimum([first, second, third], [1.0, 2.0, 3.0])
    usable = np.where(found > 0, found, 0.5)
    return np.concatenate([[0.0], usable[np.minimum(np.arange(3), different - 1)]])
