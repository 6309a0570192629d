"""From candles to a pairs file: which symbols are usable, which pairs were tested, which were selected.

Modules, in the order data flows: `universe` (candles of one formation window, bad series rejected with a
reason), `rules` (which pairs a rule keeps), `pipeline` (one
window from candles to a result), `document` (the pairs file and its Freqtrade overlay), `table` (what the
reader sees), `imports` (a published table becomes a pairs file).
"""
