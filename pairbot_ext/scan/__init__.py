"""From candles to a pairs file: which symbols are usable, which pairs were tested, which were selected.

Modules, in the order data flows: `sources` and `live` (candles from a datadir or an exchange), `universe`
(one formation window, bad series rejected with a reason), `filters` and `rules` (checks of symbols, pairs),
`pipeline` (one window from candles to a result), `walk_forward` (many windows), `document` (the pairs file
and its Freqtrade overlay), `table` and `explain` (what the reader sees), `imports` (a published table becomes
a pairs file). `knobs` holds every setting, `options` reads them, `session` is the command.
"""
