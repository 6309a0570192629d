// The journal as a stream: the newest event first.

import { el, put } from "./dom.js";
import { when } from "./format.js";
import * as api from "./api.js";
import { notice } from "./confirm.js";
import { isJournalFull, older, state, watch } from "./store.js";

const BAD = new Set(["risk_trip", "unclear", "journal_lost", "not_durable", "needs_operator"]);

function item(event) {
  const pair = event.pair ? el("a", { href: `#/pair/${encodeURIComponent(event.pair)}` }, event.pair) : null;
  return el("li", { class: BAD.has(event.kind) ? "bad" : null },
    el("time", { datetime: new Date(event.at_ms).toISOString() }, when(event.at_ms)),
    el("strong", {}, event.kind.replaceAll("_", " ")), pair,
    el("span", { class: "detail" }, event.text),
    event.trade ? el("code", {}, event.trade) : null);
}

/** Put the view into `place`; returns how to take it away. */
export function show(place) {
  const list = el("ol", { class: "journal", role: "log", "aria-live": "off", "aria-label": "Events, the newest first" });
  const none = el("p", { class: "small" });
  const filter = el("input", { id: "journal-filter", type: "search", on: { input: () => draw(true) } });
  const more = el("button", { type: "button", on: { click: load } }, "Show older");
  let known = [];
  place.replaceChildren(
    el("section", { "aria-labelledby": "journal-title" },
      el("div", { class: "bar" }, el("h2", { id: "journal-title" }, "Journal"),
        el("label", { for: "journal-filter" }, "Filter"), filter),
      el("p", { class: "small" }, "What happened to pair trades, orders and risk, in UTC. New events appear at the top."),
      none, list, more));

  function fits(event) {
    const wanted = filter.value.trim().toLowerCase();
    return `${event.kind} ${event.pair ?? ""} ${event.trade ?? ""} ${event.text}`.toLowerCase().includes(wanted);
  }

  function draw(isWhole) {
    const events = state.journal;
    const newest = known.at(-1)?.id ?? 0;
    if (isWhole || known[0]?.id !== events[0]?.id) {
      list.replaceChildren(...events.filter(fits).reverse().map(item));
    } else {
      list.prepend(...events.filter((event) => event.id > newest && fits(event)).reverse().map(item));
    }
    known = events;
    put(none, list.children.length ? "" : "Nothing yet.");
    more.hidden = events.length === 0 || events[0].id <= 1 || isJournalFull();
  }

  async function load() {
    try {
      const found = await api.get(`pairs_journal?before=${state.journal[0].id}`);
      if (found.length) older(found);
      else more.hidden = true;
    } catch (error) {
      notice(error.message, true);
    }
  }

  const stop = watch((parts) => {
    if (parts.has("journal") || parts.has("whole")) draw(parts.has("whole"));
  });
  draw(true);
  return stop;
}
