// The orders of a pair trade step by step: meant, sent, answered, settled; both legs on one time axis.

import { el, svg, table } from "./dom.js";
import { NONE, clock, number, signed, when } from "./format.js";

const STEPS = ["intent", "sent", "answered", "settled"];
const ROLES = { e: "entry", t: "top-up", x: "exit", r: "trim", u: "unwind", o: "somebody else's" };
const WIDE = 1000;
const APART_MS = 60_000;

const timesOf = (order) => STEPS.map((step) => order[`${step}_ms`]);
const legOf = (order) => /^pb-[0-9a-z]{12}-([AB])-/.exec(order.client_id)?.[1] ?? NONE;
const roleOf = (order) => ROLES[/^pb-[0-9a-z]{12}-[AB]-([a-z])-/.exec(order.client_id)?.[1]] ?? "order";

/** Orders that follow each other within a minute share an axis: hours lie between an entry and its exit. */
function groups(orders) {
  const found = [];
  for (const order of orders) {
    const last = found.at(-1)?.at(-1);
    if (last && order.intent_ms - Math.max(...timesOf(last).filter((ms) => ms !== null)) < APART_MS) found.at(-1).push(order);
    else found.push([order]);
  }
  return found;
}

function picture(orders) {
  const known = orders.flatMap(timesOf).filter((ms) => ms !== null);
  const first = Math.min(...known);
  const length = Math.max(...known) - first || 1;
  const at = (ms) => 10 + ((WIDE - 20) * (ms - first)) / length;
  const rows = orders.map((order) => {
    const times = timesOf(order);
    const parts = STEPS.slice(1).map((step, place) => {
      const [from, to] = [times[place], times[place + 1]];
      if (from === null || to === null) return null;
      return svg("rect", { class: `step ${step}`, x: at(from).toFixed(1), y: 4, height: 12, width: Math.max(2, at(to) - at(from)).toFixed(1) });
    });
    const dots = STEPS.map((step, place) => (times[place] === null ? null
      : svg("circle", { class: `dot ${step}`, cx: at(times[place]).toFixed(1), cy: 10, r: 5 })));
    const said = STEPS.map((step, place) => (times[place] === null ? null
      : `${step} ${place ? `${signed(times[place] - times[0], 0)} ms` : clock(times[0])}`)).filter(Boolean);
    return el("div", { class: "order-row" },
      el("span", { class: "order-name" }, `${legOf(order)} ${roleOf(order)}, ${order.status}`),
      svg("svg", { viewBox: `0 0 ${WIDE} 20`, preserveAspectRatio: "none", class: "order-line", role: "img",
        "aria-label": `Leg ${legOf(order)} ${roleOf(order)}: ${said.join(", ")}` }, parts, dots));
  });
  const legend = el("p", { class: "legend", "aria-hidden": "true" }, STEPS.map((step) =>
    el("span", {}, el("span", { class: `swatch step-${step}` }), step)),
    `${length.toLocaleString("en")} ms in all, from ${when(first)} UTC`);
  return el("div", { class: "orders" }, legend, rows);
}

/** Pictures and, below them, the same as a table. */
export function timeline(trade) {
  if (trade.orders.length === 0) return el("p", { class: "small" }, "No order yet.");
  const later = (order, step) => (order[`${step}_ms`] === null ? NONE : `${signed(order[`${step}_ms`] - order.intent_ms, 0)}`);
  const rows = trade.orders.map((order) => [
    legOf(order), roleOf(order), `${order.type} ${order.side}`, `${order.filled} of ${order.amount}`, number(order.average, 8),
    order.status + (order.error ? `: ${order.error}` : ""), `${when(order.intent_ms).slice(5, 10)} ${clock(order.intent_ms)}`,
    later(order, "sent"), later(order, "answered"), later(order, "settled"), order.client_id,
  ]);
  const columns = ["Leg", "Role", "Order", "Filled", "Average", "Status", "Intent, UTC", "Sent, ms", "Answered, ms", "Settled, ms", "Client id"];
  return el("div", {}, groups(trade.orders).map(picture), table(`Orders of ${trade.id}, times after the intent`, columns, rows));
}
