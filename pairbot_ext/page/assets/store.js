// What the page knows: the whole sheet once, then what changes. Views are told what to look at again.

import { announce } from "./dom.js";
import * as api from "./api.js";

const MOST_EVENTS = 1000;
const HIDDEN_MS = 30_000;

export const state = { head: {}, pairs: new Map(), rules: new Map(), journal: [] };

const listeners = new Set();
let skewMs = 0;

/** The bot's clock, ms. */
export const now = () => Date.now() + skewMs;

/** Be told of changes: a function of the set of parts that have changed. Returns how to stop. */
export function watch(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(parts) {
  for (const listener of [...listeners]) listener(parts);
}

function heard(event, found) {
  if (event === "now") skewMs = found.at_ms - Date.now();
  else if (event === "whole") whole(found);
  else if (event === "change") change(found);
}

function whole(found) {
  state.head = found.head;
  state.pairs = new Map(Object.entries(found.pairs));
  state.rules = new Map(Object.entries(found.rules));
  state.journal = found.journal;
  tell(new Set(["whole", "head", "pairs", "rules", "journal"]));
}

function change(found) {
  skewMs = found.at_ms - Date.now();
  const parts = new Set();
  if (found.head) {
    if (found.head.risk && found.head.risk !== state.head.risk) {
      announce(`Risk state ${found.head.risk}`);
    }
    Object.assign(state.head, found.head);
    parts.add("head");
  }
  for (const part of ["pairs", "rules"]) {
    if (!found[part]) continue;
    parts.add(part);
    for (const [name, row] of Object.entries(found[part])) merge(state[part], name, row, part === "pairs");
  }
  if (found.journal) {
    state.journal = [...state.journal, ...found.journal].slice(-MOST_EVENTS);
    parts.add("journal");
  }
  tell(parts);
}

function merge(rows, name, row, isPair) {
  if (row === null) {
    rows.delete(name);
    return;
  }
  const before = rows.get(name);
  const { is_new: isNew, ...fields } = row;
  if (isPair && fields.state && before && fields.state !== before.state) {
    announce(`${name}: ${fields.state}`);
  }
  rows.set(name, isNew || !before ? fields : Object.assign(before, fields));
}

/** Put older events before those that are known. */
export function older(events) {
  state.journal = [...events, ...state.journal].slice(-MOST_EVENTS);
  tell(new Set(["journal"]));
}

export const isJournalFull = () => state.journal.length >= MOST_EVENTS;

/** Follow the bot until told to stop. `said` hears of the connection; `needsLogin` of a login that ends. */
export function connect(said, needsLogin) {
  const stop = new AbortController();
  let current = null;
  let hideTimer = 0;
  let wakeUp = () => {};

  function visibility() {
    clearTimeout(hideTimer);
    if (document.hidden) {
      // Nobody looks: the bot need not compute.
      hideTimer = setTimeout(() => current?.abort(), HIDDEN_MS);
    } else {
      wakeUp();
    }
  }

  async function run() {
    let pauseMs = 0;
    while (!stop.signal.aborted) {
      if (document.hidden) await new Promise((resolve) => { wakeUp = resolve; });
      if (stop.signal.aborted) return;
      current = new AbortController();
      const attempt = current;
      try {
        said("connecting");
        await api.follow("pairs_live", (event, found) => {
          pauseMs = 0;
          if (event === "whole") said("live");
          heard(event, found);
        }, attempt.signal);
      } catch (error) {
        if (error instanceof api.LoginNeeded) {
          needsLogin(error.message);
          return;
        }
        if (stop.signal.aborted) return;
        said("lost", error instanceof api.Refused ? error.message : "");
      }
      await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
      pauseMs = Math.min(10_000, Math.max(1000, 2 * pauseMs));
    }
  }

  // A page that a browser keeps for "back" would go on listening; when it is back, it connects again.
  const hide = () => current?.abort();
  addEventListener("pagehide", hide);
  document.addEventListener("visibilitychange", visibility);
  stop.signal.addEventListener("abort", () => {
    document.removeEventListener("visibilitychange", visibility);
    removeEventListener("pagehide", hide);
    clearTimeout(hideTimer);
    current?.abort();
    wakeUp();
  });
  run();
  return () => stop.abort();
}
