"""The one gate a pairs file comes in by: at a start, at a reload, at each poll.

A file that a start would refuse is not taken over by a running bot either; what was accepted last stays in
force.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from pairbot_ext.pairs.schema import Epoch, PairsFile
from pairbot_ext.support.errors import PairsFileError


@dataclass(frozen=True)
class Terms:
    """What a bot or a backtest asks of its pairs file.

    :param exchange: Freqtrade's name of it; None where the configuration names none.
    """

    timeframe: str | None
    stake_currency: str | None
    exchange: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any], timeframe: str | None = None) -> Self:
        """Of Freqtrade's configuration.

        :param timeframe: the strategy's, where the configuration names none.
        """
        name = config.get("exchange", {}).get("name")
        return cls(config.get("timeframe") or timeframe, config.get("stake_currency"), name)


def accept(pairs_file: PairsFile, terms: Terms) -> PairsFile:
    """The file itself. Raises PairsFileError naming what does not go with the configuration."""
    if terms.timeframe != pairs_file.timeframe:
        raise PairsFileError(
            f"config timeframe differs from the pairs file's {pairs_file.timeframe!r}",
            value=repr(terms.timeframe),
            remedy="Half-lives and models belong to one timeframe: change one of the two",
        )
    for symbol in pairs_file.pairs:
        if symbol.rsplit(":", 1)[-1] != terms.stake_currency:
            raise PairsFileError(
                f"config stake_currency is not what {symbol} of the pairs file settles in",
                value=repr(terms.stake_currency),
                remedy="Change stake_currency or the pairs file",
            )
    if pairs_file.pairs and terms.exchange and pairs_file.exchange.lower() != terms.exchange.lower():
        raise PairsFileError(
            f"the pairs file was made for {pairs_file.exchange}, config exchange.name is another",
            value=repr(terms.exchange),
            remedy="Costs, funding and symbols belong to one exchange: scan on its data, or change the name",
        )
    return pairs_file


def validity(pairs_file: PairsFile, now: datetime) -> str | None:
    """Why no pair, or only an old selection, may be entered now, as a sentence; None where all is well."""
    epoch = pairs_file.epoch_at(now)
    if epoch is not None:
        return _age(epoch, now) if is_outdated(epoch, now) else None
    ended = [
        each.valid_to for each in pairs_file.epochs if each.valid_to is not None and each.valid_to <= now
    ]
    coming = [each for each in pairs_file.epochs if each.valid_from > now]
    if not ended or coming:
        return None
    since = f"{max(ended):%Y-%m-%d %H:%M} UTC"
    return f"No pair may be entered since {since}: the last selection has ended. Scan anew"


def is_outdated(epoch: Epoch, now: datetime) -> bool:
    """Whether an open-ended selection is older than a week, and than the data it was made on are long."""
    return epoch.valid_to is None and now - epoch.valid_from > max(
        epoch.formation_end - epoch.formation_start, timedelta(days=7)
    )


def _age(epoch: Epoch, now: datetime) -> str:
    days = (now - epoch.valid_from) / timedelta(days=1)
    formed = (epoch.formation_end - epoch.formation_start) / timedelta(days=1)
    return (
        f"The selection in force is {days:.0f} days old, its data were {formed:.3g} days long, and it has no "
        "end. Scan anew"
    )
