"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const REPORT = DATA.report;
const CONTROLS = REPORT.controls;
const SEVERITIES = ["critical", "high", "medium", "low", "info"];
const STATES = {
  fail: { label: "fail", sign: "✕" },
  error: { label: "error", sign: "!" },
  unknown: { label: "unknown", sign: "?" },
  conflict: { label: "conflict", sign: "≠" },
  waived: { label: "waived", sign: "W" },
  manual: { label: "manual", sign: "M" },
  not_applicable: { label: "not applicable", sign: "–" },
  pass: { label: "pass", sign: "✓" },
};
const UNDECIDED = ["error", "unknown", "conflict"];
const $ = (id) => document.getElementById(id);

/** Build an element. All text goes through text nodes: nothing in the data is ever read as markup. */
function el(tag, attrs, ...kids) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attrs || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  append(node, kids);
  return node;
}
function append(node, kids) {
  for (const kid of kids.flat(3)) if (kid !== null && kid !== undefined && kid !== false) node.append(kid);
  return node;
}
function svg(tag, attrs, ...kids) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attrs || {})) node.setAttribute(key, String(value));
  return append(node, kids);
}
const say = (value) => (value === undefined || value === null || value === "" ? "–" : typeof value === "string" ? value : JSON.stringify(value));
const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
const pct = (value) => (value === null || value === undefined ? "–" : (value === 100 ? "100" : value.toFixed(1)));
const rank = (severity) => SEVERITIES.indexOf(severity);
const when = (text) => {
  const date = new Date(text);
  return isNaN(date) ? say(text) : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" }) + " UTC";
};
const badge = (severity) => el("span", { class: `sev ${severity}` }, severity);
const stateTag = (state) => el("span", { class: `state ${state}` }, el("i", { "aria-hidden": "true" }, STATES[state].sign), STATES[state].label);

/** What a search looks at. Hosts share their results, so that this is made once for a result and not for each host. */
function searchText(result) {
  const control = controlOf(result);
  return [result.id, control.title, control.area, control.role, control.remedy, result.state, result.reason, say(result.observed), say(result.expected)].join("\n").toLowerCase();
}
const controlOf = (result) => CONTROLS[result.id] || { title: "", area: "", role: "", remedy: "" };
const TEXT = new Map(DATA.results.map((result) => [result, searchText(result)]));
const byName = new Intl.Collator("en", { numeric: true }).compare;
/** The place of each name among them all: sorting 40,000 rows by numbers is done before a reader looks. */
const places = (names) => new Map([...new Set(names)].sort(byName).map((name, at) => [name, at]));
const HOST_PLACE = places(REPORT.hosts.map((host) => host.name));
const ID_PLACE = places(DATA.results.map((result) => result.id));
const ROWS = [];
for (const host of REPORT.hosts) {
  const hostText = host.name.toLowerCase();
  for (const place of host.results) {
    const result = DATA.results[place];
    const order = (rank(result.severity) * ID_PLACE.size + ID_PLACE.get(result.id)) * HOST_PLACE.size + HOST_PLACE.get(host.name);
    ROWS.push({ host, result, control: controlOf(result), hostText, order });
  }
}
const bySeverity = (a, b) => a.order - b.order;

function group(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(item);
  }
  return groups;
}

/** Render items in chunks as the reader scrolls, so that 40,000 results cost no more than the first screen. */
function lazily(parent, items, render, chunk) {
  let at = 0;
  const sentinel = el(parent.tagName === "TBODY" ? "tr" : "div", { class: "sentinel" });
  const more = () => {
    sentinel.before(...items.slice(at, at + chunk).map(render).flat());
    at += chunk;
    if (at >= items.length) { watcher.disconnect(); sentinel.remove(); }
  };
  const watcher = new IntersectionObserver((seen) => { if (seen.some((entry) => entry.isIntersecting)) more(); }, { rootMargin: "900px" });
  parent.append(sentinel);
  more();
  if (at < items.length) watcher.observe(sentinel);
}

const HASH = new URLSearchParams(location.hash.slice(1));
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "☀ Light" : "☾ Dark";
}
function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* storage is denied to some file:// pages: the choice lasts for the visit */ }
}
function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}
setTheme(HASH.get("theme") || recall("rampart-theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  setTheme(next);
  remember("rampart-theme", next);
});
