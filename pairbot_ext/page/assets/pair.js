// One pair: its numbers, the course of prices, spread and z, its legs, its orders step by step.

import { el, mark, put, table } from "./dom.js";
import { NONE, coin, number, percent, signed, when } from "./format.js";
import * as api from "./api.js";
import { Chart } from "./charts.js";
import { ask } from "./confirm.js";
import { age, badgeOf, gauge, note, priceAge, sign } from "./pairs.js";
import { bars } from "./risk.js";
import { now, state, watch } from "./store.js";
import { timeline } from "./timeline.js";

const LIVE_EVERY_MS = 1000;

function fact(name) {
  const value = el("dd", {});
  return { value, nodes: [el("dt", {}, name), value] };
}

class Facts {
  constructor() {
    this.state = el("span", { class: "badge" });
    this.gauge = gauge();
    const names = ["z now", "Thresholds", "z at entry", "PnL if closed now", "Funding", "Hedge error",
      "Age, half-lives", "Price age", "Direction"];
    this.facts = Object.fromEntries(names.map((name) => [name, fact(name)]));
    this.note = el("p", { class: "small" });
    this.node = el("div", {},
      el("p", { class: "lead" }, this.state, this.gauge.node),
      el("dl", { class: "facts" }, names.map((name) => el("div", {}, this.facts[name].nodes))),
      this.note);
  }

  show(row) {
    const say = (name, text) => put(this.facts[name].value, text);
    put(this.state, row.state);
    mark(this.state, "class", `badge ${badgeOf(row)}`);
    this.gauge.show(row);
    say("z now", signed(row.z) + (row.z !== null && !row.is_live ? " (last candle)" : ""));
    say("Thresholds", `entry ${number(row.entry_z)}, exit ${number(row.exit_z)}, stop ${number(row.stop_z)}`);
    say("z at entry", signed(row.z_at_entry));
    say("PnL if closed now", row.trade ? `${signed(row.pnl, 4)} ${state.head.currency}` : NONE);
    mark(this.facts["PnL if closed now"].value, "class", sign(row.pnl) || null);
    say("Funding", row.trade ? `${signed(row.funding, 4)} ${state.head.currency}` : NONE);
    say("Hedge error", percent(row.hedge_error));
    say("Direction", row.direction ?? NONE);
    put(this.note, note(row));
    this.tick(row);
  }

  tick(row) {
    put(this.facts["Age, half-lives"].value, age(row));
    put(this.facts["Price age"].value, priceAge(row));
  }
}

/** Index of a series: its first known value is 100. */
function indexed(values) {
  const first = values.find((value) => value !== null);
  return values.map((value) => (value === null ? null : (100 * value) / first));
}

function marksOf(chart) {
  const marks = [];
  const zAt = (secs) => {
    let at = chart.times.findIndex((time) => time >= secs);
    if (at < 0) at = chart.times.length - 1;
    return chart.z[at];
  };
  for (const trade of chart.trades.filter((each) => each.was_hedged)) {
    const opened = trade.opened_ms / 1000;
    const y = trade.z_at_entry ?? zAt(opened);
    if (opened >= chart.times[0] && y !== null) {
      marks.push({ x: opened, y, colour: "entry", shape: trade.direction > 0 ? "up" : "down" });
    }
    const closed = trade.closed_ms && trade.closed_ms / 1000;
    if (closed && zAt(closed) !== null) marks.push({ x: closed, y: zAt(closed), colour: "exit", shape: "dot" });
  }
  return marks;
}

class Charts {
  constructor(chart) {
    this.chart = chart;
    const { entry_z: entry, exit_z: exit, stop_z: stop } = chart;
    const levels = [
      ...[entry, -entry].map((value) => ({ value, colour: "entry", dash: [6, 4] })),
      ...[exit, -exit].map((value) => ({ value, colour: "exit", dash: [2, 3] })),
      ...[stop, -stop].map((value) => ({ value, colour: "stop", dash: [8, 3, 2, 3] })),
    ];
    const range = (plot, low, high) => {
      const size = Math.max(stop * 1.1, Math.min(1.1 * Math.max(-low, high), 2 * stop));
      return [-size, size];
    };
    const [a, b] = chart.legs.map(coin);
    this.z = new Chart("z of the spread, with entries and exits", [{ label: "z", colour: "series-1" }],
      { levels, marks: marksOf(chart), range, height: 260 });
    this.z.legend.append(
      el("span", {}, el("span", { class: "swatch entry" }), `entry ±${number(entry)}, entered ▲ long ▼ short`),
      el("span", {}, el("span", { class: "swatch exit" }), `exit ±${number(exit)}, left ●`),
      el("span", {}, el("span", { class: "swatch stop" }), `stop ±${number(stop)}`));
    this.spread = new Chart("Spread, log units", [{ label: "log A − α − β log B − μ", colour: "series-1" }], { height: 160 });
    this.prices = new Chart("Prices, first candle = 100",
      [{ label: `${a} (leg A)`, colour: "series-1" }, { label: `${b} (leg B)`, colour: "series-2" }], { height: 200 });
    this.all = [this.z, this.spread, this.prices];
    this.node = el("div", { class: "charts" }, this.all.map((each) => each.node));
    this.shownAt = 0;
  }

  /** With the present as the last point. */
  show(row, isForced = false) {
    if (!isForced && Date.now() - this.shownAt < LIVE_EVERY_MS) return;
    this.shownAt = Date.now();
    const { chart } = this;
    const at = Math.max(Math.floor(now() / 1000), (chart.times.at(-1) ?? 0) + 1);
    const isLive = row !== undefined && row.is_live;
    const extended = (values, value) => (isLive ? [...values, value] : values);
    const times = extended(chart.times, at);
    const z = extended(chart.z, row?.z ?? null);
    const spread = extended(chart.spread, isLive ? this.spreadNow(row) : null);
    const pricesA = indexed(extended(chart.price_a, row?.price_a ?? null));
    const pricesB = indexed(extended(chart.price_b, row?.price_b ?? null));
    const known = z.filter((value) => value !== null);
    const count = this.chart.trades.filter((each) => each.was_hedged).length;
    const from = when(1000 * times[0]).slice(0, 16);
    this.z.set([times, z], known.length === 0 ? "No z is known." :
      `${known.length} values since ${from} UTC, between ${signed(Math.min(...known))} and `
      + `${signed(Math.max(...known))}, now ${signed(known.at(-1))}; ${count} pair trade${count === 1 ? "" : "s"} in it.`);
    this.spread.set([times, spread], `Now ${signed(spread.findLast((value) => value !== null), 4)}.`);
    this.prices.set([times, pricesA, pricesB],
      `${coin(chart.legs[0])} at ${number(pricesA.findLast((v) => v !== null), 5)}, `
      + `${coin(chart.legs[1])} at ${number(pricesB.findLast((v) => v !== null), 5)} of 100.`);
  }

  /** The spread is z in log units: their ratio is the same on every candle of a frozen model. */
  spreadNow(row) {
    const { z, spread } = this.chart;
    const last = z.findLastIndex((value, place) => value && spread[place] !== null);
    return last < 0 || row.z === null ? null : (row.z * spread[last]) / z[last];
  }

  remove() {
    for (const each of this.all) each.remove();
  }
}

function legsOf(trade, currency) {
  const rows = trade.legs.map((leg) => [
    leg.leg, `${leg.side} ${leg.symbol}`, `${leg.held} of ${leg.planned}`, number(leg.entry_price, 8),
    number(leg.exit_price, 8), number(leg.price, 8), signed(leg.profit_now ?? leg.profit, 4), signed(leg.funding, 4),
  ]);
  const columns = ["Leg", "What", "Held", "Entered at", "Left at", "Price now", `PnL, ${currency}`, `Funding, ${currency}`];
  return table(`Legs of ${trade.id}`, columns, rows);
}

/** Put the view of one pair into `place`; returns how to take it away. */
export function show(place, name) {
  const facts = new Facts();
  const chartsPlace = el("div", {}, el("p", { class: "small" }, "The course is being read…"));
  const rulesPlace = el("div", {});
  const tradesPlace = el("div", {});
  const gone = el("p", { class: "notice", hidden: true }, "The pairs file names no such pair, and none is open.");
  const buttons = ["close", "lock", "unlock"].map((action) =>
    el("button", { type: "button", class: action === "close" ? "danger" : "", on: { click: () => ask(action, name) } },
      `${action[0].toUpperCase()}${action.slice(1)}…`));
  place.replaceChildren(
    el("section", { "aria-labelledby": "pair-title" },
      el("div", { class: "bar" },
        el("h2", { id: "pair-title" }, name),
        el("p", { class: "actions" }, buttons)),
      gone, facts.node, chartsPlace,
      el("h3", {}, "Risk rules of this pair"), rulesPlace,
      el("h3", {}, "Orders"), tradesPlace));
  let charts = null;
  let isGone = false;
  let asked = "";

  async function read(key) {
    asked = key;
    try {
      const id = encodeURIComponent(name);
      const [chart, pair] = await Promise.all([api.get(`pairs_chart/${id}`), api.get(`pairs/${id}`)]);
      if (isGone || asked !== key) return;
      charts?.remove();
      charts = new Charts(chart);
      chartsPlace.replaceChildren(charts.node);
      charts.show(state.pairs.get(name), true);
      const parts = [["Open pair trade", pair.open], ["Last closed pair trade", pair.last_closed]];
      tradesPlace.replaceChildren(...parts.filter(([, trade]) => trade).flatMap(([title, trade]) => [
        el("h4", {}, `${title} ${trade.id}: ${trade.state}${trade.reason ? `, ${trade.reason}` : ""}`),
        legsOf(trade, pair.currency), timeline(trade),
      ]));
      if (tradesPlace.children.length === 0) tradesPlace.append(el("p", { class: "small" }, "None yet."));
    } catch (error) {
      if (!isGone) chartsPlace.replaceChildren(el("p", { class: "notice error" }, error.message));
    }
  }

  function update(parts) {
    const row = state.pairs.get(name);
    gone.hidden = row !== undefined || state.pairs.size === 0;
    if (!row) return;
    if (parts.has("pairs") || parts.has("whole")) {
      facts.show(row);
      charts?.show(row);
      buttons[0].hidden = !row.trade;
      buttons[1].hidden = Boolean(row.locked);
      buttons[2].hidden = !row.locked;
      // What the numbers rest on has changed: read orders and course again.
      const key = [row.trade, row.state, row.goal, row.reason, Math.floor(now() / 1000 / (state.head.candle_secs ?? 3600))].join("|");
      if (key !== asked) read(key);
    }
    if (parts.has("rules") || parts.has("whole")) {
      const mine = [...state.rules.values()].filter((rule) => rule.pair === name);
      rulesPlace.replaceChildren(mine.length ? bars(mine) : el("p", { class: "small" }, row.trade ? "No loop has judged them yet." : "It is not open."));
    }
  }

  const timer = setInterval(() => {
    const row = state.pairs.get(name);
    if (row) facts.tick(row);
  }, 1000);
  const stop = watch(update);
  update(new Set(["whole"]));
  return () => {
    isGone = true;
    clearInterval(timer);
    stop();
    charts?.remove();
  };
}
