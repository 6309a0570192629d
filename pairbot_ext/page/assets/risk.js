// Exposures and risk limits as bars.

import { el, mark, put, table } from "./dom.js";
import { NONE, coin, number } from "./format.js";
import { state, watch } from "./store.js";

/** Rules that are broken below their limit; all others are broken above it. */
const BELOW = new Set(["liquidation_distance"]);

const title = (rule) => rule.replaceAll("_", " ");

function share(rule) {
  if (rule.value === null || rule.limit === null || rule.limit === 0) return null;
  const value = Math.abs(rule.value);
  const limit = Math.abs(rule.limit);
  return BELOW.has(rule.rule) ? (value > 0 ? limit / value : 1) : Math.max(0, rule.value) / limit;
}

class Bar {
  constructor() {
    this.name = el("span", { class: "bar-name" });
    this.fill = el("progress", { max: 1 });
    this.value = el("span", { class: "bar-value" });
    this.note = el("span", { class: "small" });
    this.node = el("li", {}, this.name, this.fill, this.value, this.note);
  }

  show(rule) {
    const part = share(rule);
    const unit = rule.unit ? ` ${rule.unit}` : "";
    const limit = rule.limit === null ? "no limit" : `${BELOW.has(rule.rule) ? "at least" : "limit"} ${number(rule.limit, 4)}${unit}`;
    put(this.name, title(rule.rule));
    put(this.value, `${rule.value === null ? "unknown" : number(rule.value, 4) + unit}, ${limit}`);
    put(this.note, rule.note);
    mark(this.fill, "value", part === null ? 0 : Math.min(1, part).toFixed(3));
    mark(this.fill, "class", part === null ? "none" : part >= 1 ? "bad" : part >= 0.75 ? "near" : "fine");
    mark(this.fill, "aria-label", `${title(rule.rule)}: ${this.value.textContent}`);
  }
}

/** A list of bars for these rules. */
export function bars(rules) {
  return el("ul", { class: "bars" }, rules.map((rule) => {
    const bar = new Bar();
    bar.show(rule);
    return bar.node;
  }));
}

/** Notional of each coin by side, of what is open. */
function exposures() {
  const found = [];
  for (const [pair, row] of state.pairs) {
    if (!row.trade) continue;
    row.legs.forEach((leg, place) => {
      const price = (place ? row.price_b : row.price_a) ?? leg.entry;
      if (price && Number(leg.held)) {
        found.push({ coin: coin(leg.symbol), pair, side: leg.side, notional: Number(leg.held) * price });
      }
    });
  }
  return found.sort((a, b) => b.notional - a.notional);
}

class Exposure {
  constructor() {
    this.name = el("span", { class: "bar-name" });
    this.fill = el("progress", { max: 1 });
    this.value = el("span", { class: "bar-value" });
    this.node = el("li", {}, this.name, this.fill, this.value);
  }

  show(each, most) {
    put(this.name, each.coin);
    put(this.value, `${each.side} ${each.notional.toFixed(2)} ${state.head.currency}, ${each.pair}`);
    mark(this.fill, "value", (each.notional / most).toFixed(3));
    mark(this.fill, "class", each.side);
    mark(this.fill, "aria-label", `${each.coin}: ${this.value.textContent}`);
  }
}

/** As many items in a list as there are values, kept and changed in place. */
function fitted(list, items, make, values, show) {
  while (items.length < values.length) items.push(make());
  items.length = values.length;
  while (list.children.length > items.length) list.lastChild.remove();
  values.forEach((value, at) => {
    show(items[at], value);
    if (list.children[at] !== items[at].node) list.insertBefore(items[at].node, list.children[at] ?? null);
  });
}

/** Put the view into `place`; returns how to take it away. */
export function show(place) {
  const why = el("p", { class: "lead" });
  const rules = el("ul", { class: "bars" });
  const coins = el("ul", { class: "bars" });
  const sums = el("p", { class: "small" });
  const closest = el("div", {});
  const [ruleBars, coinBars] = [[], []];
  place.replaceChildren(
    el("section", { "aria-labelledby": "risk-title" }, el("h2", { id: "risk-title" }, "Risk"), why,
      el("h3", {}, "Limits of the bot"), rules,
      el("h3", {}, "Exposure by coin"), sums, coins,
      el("h3", {}, "Pairs closest to a limit"), closest));

  function showExposures() {
    const found = exposures();
    const most = Math.max(1, ...found.map((each) => each.notional));
    const total = (side) => found.filter((each) => each.side === side).reduce((sum, each) => sum + each.notional, 0);
    put(sums, found.length ? `long ${total("long").toFixed(2)}, short ${total("short").toFixed(2)} ${state.head.currency}` : "Nothing is open.");
    fitted(coins, coinBars, () => new Exposure(), found, (bar, each) => bar.show(each, most));
  }

  function showClosest() {
    const known = [...state.rules.values()].filter((rule) => rule.pair && share(rule) !== null);
    const rows = known.sort((a, b) => share(b) - share(a)).slice(0, 15).map((rule) => [
      rule.pair, title(rule.rule), `${number(rule.value, 4)} ${rule.unit}`, `${number(rule.limit, 4)} ${rule.unit}`,
      `${(100 * share(rule)).toFixed(0)} %`,
    ]);
    if (rows.length === 0) closest.replaceChildren(el("p", { class: "small" }, "No pair is open."));
    else closest.replaceChildren(table("The fifteen closest", ["Pair", "Rule", "Now", "Limit", "Of it"], rows));
  }

  function update(parts) {
    if (parts.has("head") || parts.has("whole")) {
      put(why, `${state.head.risk ?? NONE}${state.head.risk_why ? `: ${state.head.risk_why}` : ""}`);
    }
    if (parts.has("rules") || parts.has("whole")) {
      const general = [...state.rules.values()].filter((rule) => rule.pair === null);
      fitted(rules, ruleBars, () => new Bar(), general, (bar, rule) => bar.show(rule));
      showClosest();
    }
    if (parts.has("pairs") || parts.has("whole")) showExposures();
  }

  const stop = watch(update);
  update(new Set(["whole"]));
  return stop;
}
