// Charts by uPlot, each with a text that says the same. The library is loaded with the first chart.

import { el, put } from "./dom.js";

let loaded = null;

/** The library: one file, as its authors publish it. */
export function library() {
  loaded ??= import("./vendor/uPlot.js").then((module) => module.default);
  return loaded;
}

/** A colour of the page's style sheet, as it is now: light or dark. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The day where a day begins, the time elsewhere, UTC. */
function label(secs) {
  const text = new Date(1000 * secs).toISOString();
  return secs % 86400 === 0 ? text.slice(5, 10) : text.slice(11, 16);
}

/**
 * A chart that fills the width of its figure.
 * lines: [{label, colour, dash, digits}]; levels: [{value, colour, dash}]; marks: [{x, y, colour, up}].
 */
export class Chart {
  constructor(title, lines, { height = 220, levels = [], marks = [], range = null } = {}) {
    this.title = title;
    this.lines = lines;
    this.options = { height, levels, marks, range };
    this.data = [[], ...lines.map(() => [])];
    this.plot = null;
    this.canvas = el("div", { class: "plot", role: "img", "aria-label": title });
    this.words = el("p", { class: "small" });
    this.legend = el("p", { class: "legend", "aria-hidden": "true" }, lines.map((line) =>
      el("span", {}, el("span", { class: `swatch ${line.colour}` }), line.label)));
    this.node = el("figure", {}, el("figcaption", {}, title), this.legend, this.canvas, this.words);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.node);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.build();
    this.scheme.addEventListener("change", this.redraw);
  }

  /** Take the chart away with all that listens for it. */
  remove() {
    this.observer.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
    this.plot?.destroy();
    this.plot = null;
    this.isGone = true;
  }

  /** What it shows, and the words for those who do not see it. */
  set(data, words) {
    this.data = data;
    put(this.words, words);
    this.canvas.setAttribute("aria-label", `${this.title}. ${words}`);
    if (this.plot) this.plot.setData(data);
    else this.build();
  }

  fit() {
    const width = Math.floor(this.canvas.clientWidth);
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }

  async build() {
    const UPlot = await library();
    if (this.isGone || !this.canvas.isConnected || this.data[0].length === 0) return;
    this.plot?.destroy();
    const ink = colour("ink-soft");
    const axis = { stroke: ink, grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
    const yRange = this.options.range;
    this.plot = new UPlot({
      width: Math.floor(this.canvas.clientWidth) || 300,
      height: this.options.height,
      tzDate: (secs) => UPlot.tzDate(new Date(secs * 1e3), "Etc/UTC"),
      legend: { show: false },
      cursor: { show: true, points: { show: true }, drag: { x: false, y: false } },
      scales: yRange ? { y: { range: yRange } } : {},
      padding: [8, 14, 0, 0],
      axes: [{ ...axis, space: 70, values: (_, times) => times.map(label) }, { ...axis, size: 64 }],
      series: [{}, ...this.lines.map((line) => ({
        label: line.label, stroke: colour(line.colour), width: 1.6, dash: line.dash, spanGaps: false, points: { show: false },
      }))],
      hooks: { draw: [(plot) => this.decorate(plot)] },
    }, this.data, this.canvas);
  }

  decorate(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const level of this.options.levels) {
      const y = Math.round(plot.valToPos(level.value, "y", true));
      ctx.strokeStyle = colour(level.colour);
      ctx.lineWidth = ratio;
      ctx.setLineDash((level.dash ?? []).map((part) => part * ratio));
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.restore();
    ctx.save();
    for (const each of this.options.marks) {
      const x = plot.valToPos(each.x, "x", true);
      const y = plot.valToPos(each.y, "y", true);
      const size = 6 * ratio;
      ctx.fillStyle = colour(each.colour);
      ctx.beginPath();
      if (each.shape === "dot") {
        ctx.arc(x, y, 0.8 * size, 0, 2 * Math.PI);
      } else {
        const tip = each.shape === "up" ? -size : size;
        ctx.moveTo(x, y + tip);
        ctx.lineTo(x - size, y - tip);
        ctx.lineTo(x + size, y - tip);
        ctx.closePath();
      }
      ctx.fill();
    }
    ctx.restore();
  }
}
