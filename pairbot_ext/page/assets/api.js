// Asks the API server. The login is kept in this tab only, and sent in a header: there are no cookies, so
// no other site can act with it.

const BASE = new URL("../api/v1/", import.meta.url);
const KEPT = "pairbot-login";
const SILENT_MS = 25_000;

/** The login is missing, wrong or too old. */
export class LoginNeeded extends Error {}

/** The server has refused, and says why. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let tokens = read();

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

function keep(found) {
  tokens = found;
  if (found === null) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(found));
}

export const isLoggedIn = () => tokens !== null;

export function logOut() {
  keep(null);
}

function request(path, options = {}) {
  // Never a login that the browser itself has kept.
  return fetch(new URL(path, BASE), { cache: "no-store", credentials: "omit", redirect: "error", ...options });
}

export async function logIn(name, password) {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  const basic = btoa(String.fromCharCode(...bytes));
  const answer = await request("token/login", { method: "POST", headers: { Authorization: `Basic ${basic}` } });
  if (answer.status === 401) throw new LoginNeeded("The user name or the password is wrong.");
  if (!answer.ok) throw new Refused(answer.status, await reason(answer));
  const found = await answer.json();
  keep({ access: found.access_token, refresh: found.refresh_token });
}

let renewing = null;

/** A new access token for the one that is too old; several at once wait for one. */
function renew() {
  renewing ??= (async () => {
    const headers = { Authorization: `Bearer ${tokens?.refresh}` };
    const answer = await request("token/refresh", { method: "POST", headers });
    if (!answer.ok) {
      keep(null);
      throw new LoginNeeded("Log in again.");
    }
    keep({ ...tokens, access: (await answer.json()).access_token });
  })().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function ask(path, options = {}) {
  for (let attempt = 0; ; attempt += 1) {
    if (tokens === null) throw new LoginNeeded("Log in.");
    const headers = { ...options.headers, Authorization: `Bearer ${tokens.access}` };
    const answer = await request(path, { ...options, headers });
    if (answer.status === 401 && attempt === 0) {
      await renew();
      continue;
    }
    if (answer.status === 401) throw new LoginNeeded("Log in again.");
    if (!answer.ok) throw new Refused(answer.status, await reason(answer));
    return answer;
  }
}

async function reason(answer) {
  try {
    const { detail, error } = await answer.json();
    return typeof detail === "string" ? detail : error ?? `The server answers ${answer.status}`;
  } catch {
    return `The server answers ${answer.status}`;
  }
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** Server-sent events, with the login in a header as EventSource cannot. Ends when the server ends them. */
export async function follow(path, heard, signal) {
  const stop = new AbortController();
  const end = () => stop.abort();
  signal.addEventListener("abort", end);
  let dog = setTimeout(end, SILENT_MS);
  try {
    const answer = await ask(path, { signal: stop.signal, headers: { Accept: "text/event-stream" } });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(dog);
      dog = setTimeout(end, SILENT_MS);
      const frames = (rest + value).split("\n\n");
      rest = frames.pop();
      for (const frame of frames) tell(frame, heard);
    }
  } finally {
    clearTimeout(dog);
    signal.removeEventListener("abort", end);
  }
}

function tell(frame, heard) {
  let event = "";
  let data = "";
  for (const line of frame.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (data) heard(event, JSON.parse(data));
}
