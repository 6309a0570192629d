"""A running bot and a pairs file that renews itself: its open pair goes on, and a person hears of it once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import arb
import pytest
from harness import Rig

from pairbot_ext.pairs import Epoch, Scan, load_pairs_file
from pairbot_ext.pairs.renewal_files import accept_proposal, read_proposal
from pairbot_ext.scan.renewal import Selection, Terms, renew
from pairbot_ext.support.clock import as_datetime
from pairbot_ext.support.errors import DataError

TERMS = Terms(timedelta(weeks=1), asks=False, max_thinning=0.5, files_kept=5)


@pytest.fixture
def bot(make_rig: Callable[..., Rig], tmp_path: Path) -> Rig:
    """PairsArb with an open pair."""
    made = make_rig(**arb.options(tmp_path, arb.pair("ADA-ALGO")))
    made.loop()
    assert made.states() == ["HEDGED"]
    return made


def path_of(bot: Rig) -> Path:
    return bot.directory / "pairs.json"


def scan(bot: Rig, *names: str, terms: Terms = TERMS) -> None:
    """Another process renews the file."""

    def find(now: datetime) -> Selection:
        end = now.replace(minute=0, second=0, microsecond=0)
        pairs = tuple(arb.pair(name, z=0.0) for name in names)
        made = Epoch(valid_from=end, formation_start=end - timedelta(hours=8), formation_end=end, pairs=pairs)
        return Selection(made, Scan(rule="robust", combinations=6), "binance", "1h")

    assert renew(path_of(bot), find, terms, bot.clock, lambda _: None)


def told(bot: Rig, words: str) -> int:
    return sum(words in text for text in bot.told)


def test_a_pair_that_left_the_file_is_managed_to_its_end(bot: Rig) -> None:
    scan(bot, "XRP-DOGE")
    bot.loop(2)
    assert told(bot, "the pairs were renewed") == 1
    assert told(bot, "New: XRP-DOGE. Gone: ADA-ALGO; their open pair trades go on") == 1
    assert bot.states() == ["HEDGED"]
    bot.restart()
    bot.loop(2)
    assert told(bot, "the pairs were renewed") == 1, "over a restart"
    arb.move_z(bot, "ADA-ALGO", 0.0)
    arb.next_candle(bot, 2)
    assert bot.states() == ["CLOSED"]
    bot.check_flat()


def test_who_died_between_writing_and_telling_has_told_it_after_the_restart(bot: Rig) -> None:
    bot.kill()
    scan(bot, "XRP-DOGE")
    bot.start()
    bot.loop(3)
    assert told(bot, "the pairs were renewed") == 1


def test_a_question_is_asked_once_answered_and_told(bot: Rig) -> None:
    scan(bot)
    waiting = read_proposal(path_of(bot))
    assert waiting is not None
    bot.loop(3)
    bot.restart()
    bot.loop(2)
    assert told(bot, f"/pairs_accept {waiting.id} takes it") == 1
    assert told(bot, "0 pairs instead of 1 are more than 50% fewer") == 1
    accept_proposal(path_of(bot), waiting.id, "a person", as_datetime(bot.clock.now_ms()))
    bot.loop(3)
    assert told(bot, "accepted by a person") == 1
    assert load_pairs_file(path_of(bot)).epochs[-1].pairs == ()
    assert bot.states() == ["HEDGED"]


def test_a_question_nobody_answers_expires_aloud(bot: Rig) -> None:
    scan(bot, terms=Terms(timedelta(hours=1), asks=True, max_thinning=1, files_kept=5))
    bot.loop(2)
    bot.clock.sleep(3600)
    bot.loop(3)
    assert told(bot, "has expired unanswered") == 1


def test_a_scan_that_keeps_failing_is_told_once(bot: Rig) -> None:
    def find(_: datetime) -> Selection:
        raise DataError("the exchange is away")

    before = path_of(bot).read_bytes()
    for _ in range(3):
        assert not renew(path_of(bot), find, TERMS, bot.clock, lambda _: None)
        bot.loop(2)
    assert told(bot, "could not be renewed: the exchange is away") == 1
    assert path_of(bot).read_bytes() == before
