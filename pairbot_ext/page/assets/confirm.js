// Asks before anything is done, with the numbers as the bot has them. What is confirmed is what was shown:
// the bot refuses where it has changed meanwhile, and the new numbers are shown.

import { announce, byId, el, put } from "./dom.js";
import * as api from "./api.js";

let asked = {};

function draw(question, changed) {
  put(byId("confirm-title"), question.title);
  put(byId("confirm-changed"), changed);
  put(byId("confirm-consequence"), question.consequence);
  byId("confirm-numbers").replaceChildren(...question.numbers.flatMap(({ name, value }) =>
    [el("dt", {}, name), el("dd", {}, value)]));
  put(byId("confirm-yes"), question.title);
  byId("confirm-yes").disabled = false;
}

/** Show what an action would do; nothing is done before a person says yes. */
export async function ask(action, id = "all", changed = "") {
  notice("");
  try {
    const question = await api.post("pairs_ask", { action, id });
    asked = { action, id, ticket: question.ticket };
    draw(question, changed);
    const dialog = byId("confirm");
    if (!dialog.open) dialog.showModal();
  } catch (error) {
    close();
    notice(error.message, true);
  }
}

async function act() {
  const { ticket, action, id } = asked;
  byId("confirm-yes").disabled = true;
  put(byId("confirm-changed"), "");
  put(byId("confirm-yes"), "Wait…");
  try {
    const done = await api.post("pairs_act", { ticket });
    close();
    notice(done.result);
  } catch (error) {
    if (error instanceof api.Refused && error.status === 409 && byId("confirm").open) {
      await ask(action, id, error.message);
    } else {
      close();
      notice(error.message, true);
    }
  }
}

function close() {
  if (byId("confirm").open) byId("confirm").close();
}

/** Say what came of it, until the next. */
export function notice(text, isBad = false) {
  const place = byId("notice");
  place.hidden = text === "";
  place.className = isBad ? "notice error" : "notice";
  put(place, text);
  if (text) announce(text);
}

byId("confirm-no").addEventListener("click", close);
byId("confirm-yes").addEventListener("click", act);
