// Every pair: one row each, kept and changed in place.

import { byId, el, mark, put, svg } from "./dom.js";
import { NONE, number, percent, signed, span } from "./format.js";
import { ask } from "./confirm.js";
import { now, state, watch } from "./store.js";

const COLUMNS = ["Pair", "State", "z", "PnL with funding", "Hedge error", "Age, half-lives", "Price age", "Actions"];
const WIDE = 100;

/** Where z stands between both stops: entry and exit levels as ticks, a pointer at z. */
export function gauge() {
  const ticks = ["exit", "exit", "entry", "entry"].map((kind) =>
    svg("line", { class: `tick ${kind}`, y1: 3, y2: 13 }));
  const pointer = svg("path", { class: "pointer", d: "M-4 1 L4 1 L0 8 Z" });
  const node = svg("svg", { class: "gauge", viewBox: `0 0 ${WIDE} 16`, "aria-hidden": "true", focusable: "false" },
    svg("line", { class: "track", x1: 0, x2: WIDE, y1: 8, y2: 8 }), ticks, pointer);
  function show(row) {
    const end = row.stop_z * 1.1;
    const at = (z) => (WIDE * (Math.max(-end, Math.min(end, z)) + end)) / (2 * end);
    [-row.exit_z, row.exit_z, -row.entry_z, row.entry_z].forEach((level, place) => {
      const x = at(level).toFixed(1);
      mark(ticks[place], "x1", x);
      mark(ticks[place], "x2", x);
    });
    mark(pointer, "visibility", row.z === null ? "hidden" : null);
    if (row.z !== null) mark(pointer, "transform", `translate(${at(row.z).toFixed(1)} 0)`);
    mark(node, "class", `gauge ${zone(row)}`);
  }
  return { node, show };
}

/** What z means for this pair: a word for the eye and one for the ear. */
export function zone(row) {
  const size = row.z === null ? NaN : Math.abs(row.z);
  if (size >= row.stop_z) return "beyond-stop";
  if (size >= row.entry_z) return "beyond-entry";
  return size <= row.exit_z ? "at-exit" : "between";
}

const WORDS = { "beyond-stop": "beyond the stop", "beyond-entry": "beyond the entry", "at-exit": "within the exit" };

export const sign = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "");

/** How old the prices are, and the words for one that has no time. */
export function priceAge(row) {
  if (row.price_a === null || row.price_b === null) return NONE;
  if (row.price_ms === null) return row.price_source ?? NONE;
  return `${span((now() - row.price_ms) / 1000)}`;
}

export function age(row) {
  if (!row.opened_ms) return NONE;
  const secs = (now() - row.opened_ms) / 1000;
  if (!row.half_life_secs) return span(secs);
  return `${(secs / row.half_life_secs).toFixed(2)} of ${number(row.max_half_lives)}`;
}

export function badgeOf(row) {
  if (row.needs_you) return "bad";
  if (row.state === "HEDGED") return "good";
  return row.state === "WATCHED" ? "calm" : "busy";
}

/** Why a watched pair is not entered, in few words. */
export function note(row) {
  const notes = [];
  if (row.locked) notes.push(`locked ${row.locked}`);
  if (!row.is_tradable) notes.push("not traded by the venue");
  if (!row.is_valid && !row.trade) notes.push("not valid now");
  if (row.reason) notes.push(row.reason);
  return notes.join("; ");
}

class PairRow {
  constructor(name) {
    this.name = name;
    this.link = el("a", { href: `#/pair/${encodeURIComponent(name)}` }, name);
    this.direction = el("span", { class: "small" });
    this.state = el("span", { class: "badge" });
    this.note = el("span", { class: "small" });
    this.z = el("span", { class: "number" });
    this.live = el("span", { class: "small" });
    this.zone = el("span", { class: "visually-hidden" });
    this.gauge = gauge();
    this.pnl = el("span", { class: "number" });
    this.funding = el("span", { class: "small" });
    this.hedge = el("span", { class: "number" });
    this.age = el("span", { class: "number" });
    this.price = el("span", { class: "number" });
    this.first = el("button", { type: "button", class: "quiet", on: { click: () => this.act() } });
    const cells = [
      [this.link, this.direction],
      [this.state, this.note],
      [el("span", { class: "z" }, this.z, this.zone, this.gauge.node), this.live],
      [this.pnl, this.funding],
      [this.hedge], [this.age], [this.price], [this.first],
    ];
    this.node = el("tr", { role: "row" }, cells.map((content, place) =>
      el(place ? "td" : "th", { role: place ? "cell" : "rowheader", scope: place ? null : "row", "data-label": COLUMNS[place] },
        el("div", { class: "cell" }, content))));
  }

  act() {
    const row = state.pairs.get(this.name);
    ask(row.trade ? "close" : row.locked ? "unlock" : "lock", this.name);
  }

  show(row) {
    put(this.direction, row.direction ?? "");
    put(this.state, row.state);
    mark(this.state, "class", `badge ${badgeOf(row)}`);
    put(this.note, note(row));
    put(this.z, signed(row.z));
    put(this.live, row.z === null ? "" : row.is_live ? "" : "last candle");
    put(this.zone, WORDS[zone(row)] ?? "");
    this.gauge.show(row);
    put(this.pnl, row.trade ? signed(row.pnl, 4) : NONE);
    mark(this.pnl, "class", `number ${sign(row.pnl)}`);
    put(this.funding, row.trade ? `funding ${signed(row.funding, 4)}` : "");
    put(this.hedge, percent(row.hedge_error));
    const does = row.trade ? "Close…" : row.locked ? "Unlock…" : "Lock…";
    put(this.first, does);
    mark(this.first, "aria-label", `${does.slice(0, -1)} ${this.name}`);
    mark(this.node, "class", row.needs_you ? "needs-you" : row.trade ? "open" : null);
    this.tick(row);
  }

  tick(row) {
    put(this.age, age(row));
    put(this.price, priceAge(row));
  }
}

const order = (row) => (row.needs_you ? 0 : row.trade ? 1 : 2);

/** Put the view into `place`; returns how to take it away. */
export function show(place) {
  const rows = new Map();
  const body = el("tbody", { role: "rowgroup" });
  const count = el("p", { class: "count" });
  const filter = el("input", { id: "filter", type: "search", on: { input: arrange } });
  place.replaceChildren(
    el("section", { "aria-labelledby": "pairs-title" },
      el("div", { class: "bar" },
        el("h2", { id: "pairs-title" }, "All pairs"), count,
        el("label", { for: "filter" }, "Filter"), filter,
        el("button", { type: "button", id: "close-all", on: { click: () => ask("close", "all") } }, "Close all…")),
      el("table", { class: "pairs", role: "table", "aria-describedby": "gauge-note" },
        el("thead", { role: "rowgroup" },
          el("tr", { role: "row" }, COLUMNS.map((name) => el("th", { role: "columnheader", scope: "col" }, name)))),
        body),
      el("p", { id: "gauge-note", class: "small" },
        "z is drawn between both stops: long ticks are the entry thresholds, short ticks the exits. " +
        "It is at prices now, unless “last candle” stands below.")));

  function arrange() {
    const wanted = filter.value.trim().toLowerCase();
    const names = [...state.pairs.keys()]
      .filter((name) => name.toLowerCase().includes(wanted))
      .sort((a, b) => order(state.pairs.get(a)) - order(state.pairs.get(b)) || (a < b ? -1 : 1));
    for (const name of names) {
      if (!rows.has(name)) rows.set(name, new PairRow(name));
    }
    for (const name of [...rows.keys()]) if (!state.pairs.has(name)) rows.delete(name);
    const wantedRows = names.map((name) => rows.get(name).node);
    const isSame = wantedRows.length === body.children.length
      && wantedRows.every((node, at) => node === body.children[at]);
    if (!isSame) body.replaceChildren(...wantedRows);
  }

  function update(parts) {
    if (!parts.has("pairs") && !parts.has("whole")) return;
    arrange();
    let open = 0;
    let profit = 0;
    for (const [name, row] of state.pairs) {
      rows.get(name)?.show(row);
      if (row.trade) {
        open += 1;
        profit += row.pnl ?? 0;
      }
    }
    put(count, `${open} open, ${state.pairs.size - open} watched; PnL ${signed(profit, 2)} ${state.head.currency ?? ""}`);
    byId("close-all").hidden = open === 0;
  }

  const timer = setInterval(() => {
    for (const [name, row] of state.pairs) rows.get(name)?.tick(row);
  }, 1000);
  const stop = watch(update);
  update(new Set(["whole"]));
  return () => {
    clearInterval(timer);
    stop();
  };
}
