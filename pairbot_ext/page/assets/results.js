// Scan and walk-forward results that lie in the user's folder.

import { el, table } from "./dom.js";
import { signed, when } from "./format.js";
import * as api from "./api.js";
import { Chart } from "./charts.js";

/** Put the view into `place`; returns how to take it away. `key` is of one result, or empty. */
export function show(place, key) {
  const body = el("div", {}, el("p", { class: "small" }, "The folder is being read…"));
  let chart = null;
  let isGone = false;
  place.replaceChildren(el("section", { "aria-labelledby": "results-title" },
    el("h2", { id: "results-title" }, "Results"), body));

  async function list() {
    const found = await api.get("pairs_results");
    const scan = await api.get("pairs_scan");
    const until = scan.valid_to_ms ? `until ${when(scan.valid_to_ms).slice(0, 16)}` : "open-ended";
    const now = scan.valid_from_ms === null ? "The pairs file holds no epoch: nothing is entered."
      : `Epoch from ${when(scan.valid_from_ms).slice(0, 16)} UTC ${until}, ${scan.is_valid_now ? "valid now" : "NOT valid now: nothing is entered"}: ${scan.pairs.length} pairs.`;
    const expected = scan.expected_false_positives === null ? "" : ` About ${scan.expected_false_positives.toFixed(1)} combinations pass by chance alone.`;
    body.replaceChildren(
      el("h3", {}, "The scan in force"),
      el("p", {}, `Of ${when(scan.generated_at_ms).slice(0, 16)} UTC, ${scan.age_days.toFixed(1)} days old, ${scan.exchange} ${scan.timeframe}, rule: ${scan.rule}. ${now}${expected}`),
      el("h3", {}, "Files"),
      found.length === 0 ? el("p", { class: "small" }, "None. `pairbot scan --json`, `pairbot walkforward --json` and `pairbot compare --json` print results; keep them in user_data to see them here.")
        : table("Results in user_data, the newest first", ["File", "Kind", "Written, UTC", "Says"],
          found.map((each) => [el("a", { href: `#/results/${each.key}` }, each.name), each.kind, when(each.written_ms).slice(0, 16), each.says])));
  }

  async function one() {
    const found = await api.get(`pairs_results/${encodeURIComponent(key)}`);
    if (isGone) return;
    body.replaceChildren(
      el("p", {}, el("a", { href: "#/results" }, "All results")),
      el("h3", {}, found.name), el("p", {}, `${found.kind}, ${when(found.written_ms)} UTC. ${found.says}.`),
      el("dl", { class: "facts" }, found.facts.map(([name, value]) =>
        el("div", {}, el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, value)))),
      found.rows.length ? table(`Table of ${found.name}`, found.columns.map((name) => name.replaceAll("_", " ")), found.rows) : null);
    if (found.series?.length > 1) {
      chart = new Chart("Profit of each week", [{ label: "of the account", colour: "series-1" }]);
      body.append(chart.node);
      const values = found.series.map(([, value]) => value);
      chart.set([found.series.map(([week]) => Date.parse(week) / 1000), values],
        `${values.length} weeks, ${values.filter((value) => value > 0).length} of them above 0, from ${signed(Math.min(...values), 4)} to ${signed(Math.max(...values), 4)}.`);
    }
  }

  (key ? one() : list()).catch((error) => {
    if (!isGone) body.replaceChildren(el("p", { class: "notice error" }, error.message));
  });
  return () => {
    isGone = true;
    chart?.remove();
  };
}
