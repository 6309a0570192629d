"""A comparison as one PNG, to be kept beside a text. matplotlib, no window system."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from pairbot_ext.report.figures import png_bytes

if TYPE_CHECKING:
    from pairbot_ext.research.compare import Comparison

_DPI = 110


def compare_sheet(result: Comparison) -> bytes:
    """The PNG file: net per pair trade with its 95 % interval, and what each model's weeks add up to."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    nets, running = figure.subplots(1, 2)
    for place, each in enumerate(result.variants.values()):
        colour = f"C{place}"
        low, high = each.interval_95
        nets.plot([low, high], [place, place], color=colour, lw=2)
        nets.plot([each.figures.net], [place], "o", color=colour)
        sums = np.array([100 * total for total in accumulate(each.weekly.to_numpy(), initial=0.0)])
        running.plot(range(len(sums)), sums, color=colour, lw=1.4)
    nets.axvline(0, color="#888888", lw=0.8)
    nets.set_yticks(range(len(result.variants)), list(result.variants))
    nets.invert_yaxis()
    nets.set(title="Net per pair trade, 95 % interval", xlabel="bp of N_A + N_B")
    running.axhline(0, color="#888888", lw=0.8)
    running.set(title="Running net, colours as on the left", xlabel="week", ylabel="% of the wallet")
    return png_bytes(figure, _DPI)
