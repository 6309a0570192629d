// Numbers and times as people read them. What is unknown is a dash.

export const NONE = "–";

const isKnown = (value) => value !== null && value !== undefined && Number.isFinite(value);

export function signed(value, digits = 2) {
  if (!isKnown(value)) return NONE;
  // A true minus is as wide as a plus.
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : `+${text}`;
}

export function number(value, digits = 6) {
  if (!isKnown(value)) return NONE;
  return String(Number(value.toPrecision(digits)));
}

export function percent(value) {
  return isKnown(value) ? `${(100 * value).toFixed(2)} %` : NONE;
}

export function span(secs) {
  if (!isKnown(secs)) return NONE;
  if (secs < 10) return `${Math.max(0, secs).toFixed(1)} s`;
  if (secs < 100) return `${Math.round(secs)} s`;
  if (secs < 5400) return `${Math.round(secs / 60)} min`;
  if (secs < 172800) return `${(secs / 3600).toFixed(1)} h`;
  return `${(secs / 86400).toFixed(1)} d`;
}

const two = (value) => String(value).padStart(2, "0");

/** 2026-02-02 01:00:05, UTC. */
export function when(ms) {
  if (!isKnown(ms)) return NONE;
  const date = new Date(ms);
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** With milliseconds, without the day. */
export function clock(ms) {
  return isKnown(ms) ? new Date(ms).toISOString().slice(11, 23) : NONE;
}

/** The coin of a symbol: ADA of ADA/USDT:USDT. */
export const coin = (symbol) => symbol.split("/", 1)[0];
