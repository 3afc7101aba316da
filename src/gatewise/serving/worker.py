"""The one thread that computes: steps of many streams in one call, in turn with requests.

A round takes the streams that wait for one model, in the order of their arrival, up to 16 steps of each, as many
streams as are computed within some milliseconds. What a stream has left goes to the end of the queue, so that a stream
with thousands of steps delays another one by a round. While a round is computed the next one gathers: the more there is
to do, the larger the rounds and the cheaper their steps.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.errors import DataError, RunError
from gatewise.training.streaming import Advance, Advanced, State, Streaming

if TYPE_CHECKING:
    from gatewise.serving.metrics import Metrics

__all__ = ["Busy", "Worker"]

_MOST_STREAMS = 256
_FEWEST_STREAMS = 16
_MOST_STEPS = 16
_ROUND_SECONDS = 0.008
_FIRST_PACE = 1e-5


class Busy(RunError):
    """Too many requests wait already."""


@dataclass
class _Steps:
    """The steps of one message."""

    streaming: Streaming
    name: str
    work: Advance
    future: asyncio.Future[Advanced]
    answers: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Call:
    """A function to run."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]


class Worker:
    """Computes in a thread of its own what an event loop hands over.

    Args:
        metrics: where steps and rounds are counted.
        most_waiting: requests that may wait; one more is refused.
        most_streams: streams of a round at most; 1: one by one, to measure what batching gains.
    """

    def __init__(self, metrics: Metrics, most_waiting: int = 64, most_streams: int = _MOST_STREAMS) -> None:
        self.metrics, self.most_waiting, self.most_streams = metrics, most_waiting, most_streams
        self._changed = threading.Condition()
        self._streams: deque[_Steps] = deque()
        self._calls: deque[_Call] = deque()
        self._paces: dict[int, float] = {}
        self._stopped = self._ended = False
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()

    async def advance(self, streaming: Streaming, name: str, work: Advance) -> Advanced:
        """Read the steps of one message.

        Args:
            streaming: the network.
            name: of the model, for the metrics.
            work: state and steps.

        Raises:
            DataError: the network's numbers are not finite after them.
            RunError: the worker has ended.
        """
        future: asyncio.Future[Advanced] = asyncio.get_running_loop().create_future()
        with self._changed:
            self._check_alive()
            self._streams.append(_Steps(streaming, name, work, future))
            self._changed.notify()
        return await future

    async def call(self, function: Callable[[], Any]) -> Any:
        """Run a function between rounds.

        Raises:
            Busy: too many are waiting.
            RunError: the worker has ended.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._changed:
            self._check_alive()
            if len(self._calls) >= self.most_waiting:  # those whose time is over do not count
                self._calls = deque(each for each in self._calls if not each.future.cancelled())
            if len(self._calls) >= self.most_waiting:
                raise Busy("the server is busy", got=f"{len(self._calls)} requests are waiting", fix="try again")
            self._calls.append(_Call(function, future))
            self._changed.notify()
        return await future

    @property
    def waiting(self) -> int:
        """Messages and requests that wait."""
        return len(self._streams) + len(self._calls)

    @property
    def alive(self) -> bool:
        """Whether the thread computes what is handed over."""
        return self._thread.is_alive() and not self._ended

    def _check_alive(self) -> None:
        if self._ended:
            raise RunError("the worker has ended", fix="start the server again")

    def stop(self) -> None:
        """End the thread after its present round."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(10)

    def _work(self) -> None:
        import torch
        from threadpoolctl import threadpool_limits

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                while self._turn():
                    pass
        finally:
            torch.set_num_threads(threads)
            with self._changed:
                self._ended = True
                left = [steps.future for steps in self._streams] + [call.future for call in self._calls]
                self._streams.clear()
                self._calls.clear()
            _settle([(future, RunError("the worker has ended", fix="start the server again")) for future in left])

    def _turn(self) -> bool:
        """A round and a request; false where the thread has to end."""
        with self._changed:
            while not (self._streams or self._calls or self._stopped):
                self._changed.wait()
            if self._stopped:
                return False
            call = self._calls.popleft() if self._calls else None
            some = self._next_round()
        if some:
            try:
                self._round(some)
            except BaseException as error:  # the thread serves everyone: no model's fault may end it
                _settle([(each.future, _fault(error)) for each in some])
        if call is not None and not call.future.cancelled():
            _settle([(call.future, _outcome(call.function))])
        return True

    def _next_round(self) -> list[_Steps]:
        """The messages of the next round, all of one network."""
        while self._streams and self._streams[0].future.cancelled():
            self._streams.popleft()
        if not self._streams:
            return []
        streaming, seconds = self._streams[0].streaming, 0.0
        pace = self._pace(streaming)
        some: list[_Steps] = []
        others: list[_Steps] = []
        while self._streams and len(some) < self.most_streams:
            if seconds > _ROUND_SECONDS and len(some) >= _FEWEST_STREAMS:
                break
            each = self._streams.popleft()
            if each.future.cancelled():
                continue
            if each.streaming is streaming:
                some.append(each)
                seconds += pace * min(len(each.work.steps), _MOST_STEPS)
            else:
                others.append(each)
        self._streams.extendleft(reversed(others))
        return some

    def _pace(self, streaming: Streaming) -> float:
        return self._paces.get(id(streaming), _FIRST_PACE)

    def _round(self, some: list[_Steps]) -> None:
        """Up to 16 steps of each; answers whose steps are done go out, the others wait again."""
        streaming, begun = some[0].streaming, time.thread_time()
        parts = [each.work._replace(steps=each.work.steps[:_MOST_STEPS]) for each in some]
        outcomes = _advanced(streaming, parts)
        steps = sum(len(part.steps) for part in parts)
        seconds = time.thread_time() - begun
        self._paces[id(streaming)] = 0.8 * self._pace(streaming) + 0.2 * max(seconds / steps, 1e-7)
        if len(self._paces) > 1000:
            self._paces.clear()
        name = some[0].name
        self.metrics.count("steps_total", steps, model=name)
        self.metrics.count("rounds_total", 1, model=name)
        self.metrics.count("round_streams_total", len(some), model=name)
        self.metrics.count("round_seconds_total", seconds, model=name)
        done: list[tuple[asyncio.Future[Any], Any]] = []
        left: list[_Steps] = []
        for each, outcome in zip(some, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                done.append((each.future, outcome))
                continue
            each.answers += outcome.answers
            rest = each.work.steps[_MOST_STEPS:]
            if len(rest):
                each.work = each.work._replace(state=outcome.state, steps=rest)
                left.append(each)
            else:
                answers = each.answers if each.work.every else each.answers[-1:]
                done.append((each.future, Advanced(outcome.state, answers)))
        if left:
            with self._changed:
                self._streams.extend(left)
        _settle(done)


def _advanced(streaming: Streaming, parts: Sequence[Advance]) -> Sequence[Advanced | BaseException]:
    """The outcome of each stream; where one of them makes all fail, each by itself."""
    try:
        found = streaming.advance(parts)
        return [each if _is_sound(each.state) else _not_finite() for each, _ in zip(found, parts, strict=True)]
    except BaseException as error:
        if len(parts) == 1:
            return [_fault(error)]
        return [outcome for part in parts for outcome in _advanced(streaming, [part])]


def _is_sound(state: State) -> bool:
    """Whether no number of a state is NaN; scores may be minus infinity where the model forbids something."""
    return not any(values.dtype.kind == "f" and np.isnan(values).any() for values in state.values())


def _not_finite() -> DataError:
    return DataError("the network's numbers are not finite after these values", fix="check their scale")


def _outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except BaseException as error:
        return _fault(error)


def _fault(error: BaseException) -> Exception:
    """An error that a future can hold: not the end of an iteration, of a thread or of the process."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    found = RuntimeError(f"{type(error).__name__}: {error}")
    found.__cause__ = error
    return found


def _settle(done: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    """Hand results to the event loops that wait for them, one call for each loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for future, result in done:
        loops.setdefault(future.get_loop(), []).append((future, result))
    for loop, results in loops.items():
        try:
            loop.call_soon_threadsafe(_set, results)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            continue


def _set(results: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in results:
        if future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
