"""What a run of the bot has done: counted as it happens, printed at the end."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median


@dataclass
class RunStatistics:
    """Counters of one run.

    :param naked_secs: per pair trade that was hedged or unwound, seconds between leg A's fill and the moment
        both legs were held or none was.
    """

    started_ms: int
    received: int = 0
    accepted: int = 0
    hedged: int = 0
    closed: int = 0
    aborted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    naked_secs: list[float] = field(default_factory=list)
    pnl: float = 0.0

    def lines(self, now_ms: int, currency: str) -> list[str]:
        """For the log and the operator, one fact per line."""
        uptime_secs = (now_ms - self.started_ms) / 1000
        refused = ", ".join(f"{code} {count}" for code, count in self.refused.most_common()) or "none"
        rate = f"{self.hedged / self.accepted:.1%}" if self.accepted else "no pair was accepted"
        naked = (
            f"median {median(self.naked_secs):.3f} s, longest {max(self.naked_secs):.3f} s"
            if self.naked_secs
            else "none"
        )
        return [
            f"uptime {uptime_secs / 3600:.2f} h",
            f"signals received {self.received}, accepted {self.accepted}, "
            f"refused {sum(self.refused.values())} ({refused})",
            f"pair trades hedged {self.hedged}, closed {self.closed}, aborted {self.aborted}",
            f"success rate (hedged / accepted) {rate}",
            f"naked time {naked}",
            f"realised profit {self.pnl:.4f} {currency}, fees and funding included",
        ]
