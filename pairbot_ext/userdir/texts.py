"""The files of `pairbot init` that are the same for everybody."""

STRATEGY = '''"""The installed package's strategy, where Freqtrade looks for it. Written by `pairbot init`.

Settings belong in pairbot.json, thresholds in the pairs file: this file follows the package.
"""

from pairbot_ext.runtime.pairs_arb import PairsArb as _PairsArb


class PairsArb(_PairsArb):
    """Enter a pair where its spread is far from its mean, leave it where it has come back."""
'''

LOSS = '''"""`--hyperopt-loss PairsHyperOptLoss`, where Freqtrade looks for it. Written by `pairbot init`."""

from pairbot_ext.research.hyperopt_loss import PairsHyperOptLoss as _PairsHyperOptLoss


class PairsHyperOptLoss(_PairsHyperOptLoss):
    """Whole pair trades under stress, less what the best of so many tries shows by chance."""
'''

ENVIRONMENT = """\
# What does not belong into a file that is shared or shown. Copy to .env, fill in, and have it read before the
# bot starts: `set -a; . ./.env; set +a`, or env_file of a container. Freqtrade puts each of these in the
# place of the setting it names; a line that is left out changes nothing.

# Binance USDT-M futures. A key that may withdraw is refused. Not needed for backtests and dry-run.
#FREQTRADE__EXCHANGE__KEY=
#FREQTRADE__EXCHANGE__SECRET=

# A Telegram bot of its own: one token serves one Freqtrade at a time.
#FREQTRADE__TELEGRAM__ENABLED=true
#FREQTRADE__TELEGRAM__TOKEN=
#FREQTRADE__TELEGRAM__CHAT_ID=

# Freqtrade's API server and FreqUI.
#FREQTRADE__API_SERVER__ENABLED=true
#FREQTRADE__API_SERVER__USERNAME=
#FREQTRADE__API_SERVER__PASSWORD=
#FREQTRADE__API_SERVER__JWT_SECRET_KEY=
"""
