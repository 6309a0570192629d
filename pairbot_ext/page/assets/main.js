// Login, the way between views, and what stands above all of them.

import { byId, mark, put } from "./dom.js";
import * as api from "./api.js";
import { ask, notice } from "./confirm.js";
import { connect, state, watch } from "./store.js";
import * as pairs from "./pairs.js";

const VIEWS = {
  pairs: async () => pairs,
  pair: () => import("./pair.js"),
  risk: () => import("./risk.js"),
  journal: () => import("./journal.js"),
  results: () => import("./results.js"),
};
const RISKS = { ACTIVE: "good", REDUCING: "busy", HALTED: "bad" };

let leave = () => {};
let disconnect = null;
let wanted = 0;

async function go(isFirst = false) {
  if (!api.isLoggedIn()) return;
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/");
  const view = Object.hasOwn(VIEWS, name) ? name : "pairs";
  wanted += 1;
  const mine = wanted;
  const module = await VIEWS[view]();
  if (mine !== wanted) return;
  leave();
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    id = "";
  }
  leave = module.show(byId("view"), id);
  const title = view === "pair" ? id : view[0].toUpperCase() + view.slice(1);
  document.title = title === "Pairs" ? "Pairs" : `${title} · Pairs`;
  for (const link of byId("views").querySelectorAll("a")) {
    const isHere = link.getAttribute("href") === `#/${view}` || (view === "pair" && link.getAttribute("href") === "#/pairs");
    mark(link, "aria-current", isHere ? "page" : null);
  }
  if (!isFirst) byId("main").focus({ preventScroll: false });
}

function head() {
  const { mode, risk, is_degraded: isDegraded, silent = [], has_streams: hasStreams } = state.head;
  put(byId("mode"), mode ?? "");
  mark(byId("mode"), "class", `badge ${mode === "live" ? "busy" : "calm"}`);
  put(byId("risk-state"), risk ?? "");
  mark(byId("risk-state"), "class", `badge ${RISKS[risk] ?? "calm"}`);
  byId("resume").hidden = risk === "ACTIVE" || risk === undefined;
  byId("halt").hidden = risk === "HALTED";
  const troubles = [];
  if (isDegraded) troubles.push("the journal cannot be written");
  if (hasStreams && silent.length) troubles.push(`not heard: ${silent.join(", ")}`);
  mark(byId("connection"), "title", troubles.length ? troubles.join("; ") : null);
  mark(byId("connection"), "data-trouble", troubles.length ? troubles.join("; ") : null);
}

const SAID = { live: "connected", connecting: "connecting…", lost: "no answer" };

function said(how, why = "") {
  put(byId("connection"), why ? `${SAID[how]}: ${why}` : SAID[how]);
  mark(byId("connection"), "class", `badge ${how === "live" ? "good" : how === "lost" ? "bad" : "calm"}`);
  mark(document.body, "data-connection", how);
}

function enter() {
  byId("login").hidden = true;
  for (const id of ["badges", "views", "bot-actions"]) byId(id).hidden = false;
  disconnect ??= connect(said, (why) => end(why));
  go(true);
}

function end(why = "") {
  api.logOut();
  disconnect?.();
  disconnect = null;
  leave();
  leave = () => {};
  wanted += 1;
  byId("view").replaceChildren();
  for (const id of ["badges", "views", "bot-actions"]) byId(id).hidden = true;
  byId("login").hidden = false;
  put(byId("login-error"), why);
  byId("username").focus();
}

byId("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  put(byId("login-error"), "");
  try {
    await api.logIn(byId("username").value, byId("password").value);
    byId("password").value = "";
    enter();
  } catch (error) {
    put(byId("login-error"), error.message);
  }
});
byId("logout").addEventListener("click", () => end());
byId("halt").addEventListener("click", () => ask("halt"));
byId("resume").addEventListener("click", () => ask("resume"));
addEventListener("hashchange", () => {
  notice("");
  go();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  // The address names a view: it is not to become "#main".
  event.preventDefault();
  byId("main").focus();
});
watch((parts) => {
  if (parts.has("head") || parts.has("whole")) head();
});

if (api.isLoggedIn()) enter();
else byId("login").hidden = false;
