"""Where a backtest's last lines lie beside its result."""

from pathlib import Path


def lines_path(result: Path) -> Path:
    """`backtest-result-X.zip` -> `backtest-result-X.pairbot.json`: what the backtest said last."""
    return result.with_name(f"{result.stem}.pairbot.json")
