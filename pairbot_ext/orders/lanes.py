"""Connections of their own for orders that leave at the same moment.

Freqtrade's ccxt client sends one request after the other: its `requests` session and its `last_*` attributes
belong to one request at a time, so two threads must not share it. A lane is a copy of that client (settings,
credentials, markets) with a session of its own, used by one thread at a time; nothing but the request happens
in that thread. The journal and Freqtrade's database are touched by the caller alone. ccxt's throttle, a sleep
per client, is off in all of them; the limiter counts for all and is thread-safe.

Lanes are kept warm: a connection that has to be opened first would cost the second leg two round trips.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

LANES = 2
"""Kept open: both legs of a pair."""
MOST_LANES = 6
"""Open at once: two orders never wait behind questions that keep the others warm and are not answered."""
WARM_MS = 25_000
"""Servers close a connection that has been idle for about a minute. Costs a weight of 5 a minute."""

T = TypeVar("T")
Client = Any
"""A ccxt client."""


class Lanes:
    """See the module. Ends with the bot: `close`.

    :param open_client: a client with connections of its own.
    :param refresh: brings a client up to date with Freqtrade's.
    :param question: keeps a client's connection open.
    """

    def __init__(
        self,
        open_client: Callable[[], Client],
        refresh: Callable[[Client], Client],
        clock: Clock,
        question: Callable[[Client], object] = lambda client: client.fetch_time(),
    ) -> None:
        self.open_client = open_client
        self.refresh = refresh
        self._question = question
        self._clock = clock
        self._idle: list[tuple[int, Client]] = []
        """(used last, client), the one used last at the end."""
        self._asking = 0
        """Questions that keep lanes warm and are not answered yet."""
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(MOST_LANES, thread_name_prefix="pairbot-order")

    def run(self, works: Sequence[Callable[[Client], T]]) -> Generator[tuple[int, T | Exception]]:
        """Do all of it at once, each with a client of its own. Yields (number, result or exception) as they
        end. Ctrl+C is raised when all have ended: a request on its way cannot be called back, and what
        became of it is worth the client's timeout."""
        numbers: dict[Future[T], int] = {}
        interrupt: KeyboardInterrupt | None = None
        try:
            for number, work in enumerate(works):
                numbers[self._begin(work)] = number
            pending = set(numbers)
            while pending:
                try:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                except KeyboardInterrupt as error:
                    interrupt = error
                    continue
                for future in done:
                    try:
                        outcome: T | Exception = future.result()
                    except KeyboardInterrupt as error:
                        interrupt = error
                        continue
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is this work's outcome
                        outcome = error
                    yield numbers[future], outcome
        finally:
            self._outlast(numbers)
        if interrupt is not None:
            raise interrupt

    def keep_warm(self) -> None:
        """Ask something on every lane that has been idle for long. Waits for nothing, and asks nothing more
        while LANES questions are out: each loop's would take the threads that orders need."""
        now_ms = self._clock.now_ms()
        with self._lock:
            room = LANES - self._asking
            kept = self._idle[max(0, len(self._idle) - room) :]
            stale = [client for used_ms, client in kept if not 0 <= now_ms - used_ms < WARM_MS]
            self._idle = [each for each in kept if each[1] not in stale]
        with suppress(RuntimeError):  # no thread to be had: the next loop tries again
            for client in (*stale, *(self.open_client() for _ in range(room - len(kept)))):
                with self._lock:
                    self._asking += 1
                self._threads.submit(self._warm, client)

    def close(self) -> None:
        """End the threads and their connections; waits for a request that is still on its way."""
        self._threads.shutdown()
        for _, client in self._idle:
            client.close()

    def _begin(self, work: Callable[[Client], T]) -> Future[T]:
        client, turn = self._take(), threading.Lock()

        def once() -> T:
            if not turn.acquire(blocking=False):
                raise RuntimeError("another thread has begun to send it")
            return self._with(client, work)

        try:
            return self._threads.submit(once)
        except RuntimeError as error:
            # No thread to be had, or the bot has ended: an exit goes out all the same. The pool may keep it
            # in its queue, so only whoever comes first sends it.
            logger.warning(f"An order leaves without a thread of its own: {error}")
            future: Future[T] = Future()
            try:
                future.set_result(once())
            except Exception as failure:  # noqa: BLE001 - as a thread would keep it
                future.set_exception(failure)
            return future

    def _with(self, client: Client, work: Callable[[Client], T]) -> T:
        try:
            return work(client)
        finally:
            with self._lock:
                self._idle.append((self._clock.now_ms(), client))

    def _take(self) -> Client:
        with self._lock:
            client = self._idle.pop()[1] if self._idle else self.open_client()
        return self.refresh(client)

    def _warm(self, client: Client) -> None:
        try:
            self._with(client, self._question)
        except Exception as error:  # noqa: BLE001 - the next order opens the connection anew
            logger.debug(f"A lane could not be kept warm: {error}")
        finally:
            with self._lock:
                self._asking -= 1

    @staticmethod
    def _outlast(futures: Iterable[Future[Any]]) -> None:
        """Wait for all, whoever interrupts."""
        while any(not future.done() for future in futures):
            with suppress(KeyboardInterrupt):
                wait(futures)
