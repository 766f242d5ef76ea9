const open = (row) => row.result.state === "fail" || UNDECIDED.includes(row.result.state);
const gap = (row) => !["pass", "fail", "waived"].includes(row.result.state);
const unanswered = (row) => gap(row) && row.result.state !== "not_applicable";
const lostHosts = REPORT.hosts.filter((host) => host.state !== "measured").length;
const changed = (changes) => (changes ? ["new_failures", "fixed", "changed_states", "changed_values", "catalogue_changes"].reduce((sum, key) => sum + changes[key].length, 0) : 0);
const TABS = {
  failures: { name: "Failures", draw: viewFailures, badge: ROWS.filter(open).length + lostHosts, counts: open },
  matrix: { name: "Controls × hosts", draw: viewMatrix, counts: () => true },
  all: { name: "All results", draw: viewAll, counts: () => true },
  gaps: { name: "Not measured", draw: viewGaps, badge: ROWS.filter(unanswered).length + lostHosts, counts: gap },
  waivers: { name: "Waivers", draw: viewWaivers, badge: REPORT.waivers.length },
  changes: { name: "Changes", draw: viewChanges, badge: changed(REPORT.changes && REPORT.changes.previous) },
  run: { name: "Run", draw: viewRun },
};
let tab = TABS[HASH.get("tab")] ? HASH.get("tab") : TABS.failures.badge ? "failures" : "matrix";

/** Draw the chosen tab with the results that pass the filter. */
function show(next) {
  if (next && TABS[next]) tab = next;
  const chosen = TABS[tab];
  visible = chosen.counts ? matching().filter(chosen.counts) : matching();
  if (tab === "failures") visible.sort((a, b) => Number(a.result.state !== "fail") - Number(b.result.state !== "fail") || bySeverity(a, b));
  const panel = $("view");
  panel.replaceChildren();
  panel.className = `panel ${tab}`;
  panel.setAttribute("aria-labelledby", `tab-${tab}`);
  chosen.draw(panel, visible);
  for (const button of document.querySelectorAll("#tabs button")) {
    const on = button.dataset.tab === tab;
    button.setAttribute("aria-selected", String(on));
    button.tabIndex = on ? 0 : -1;
  }
  $("filters").hidden = !chosen.counts;
  syncFilters(chosen.counts ? visible.length : null);
}

function buildTabs() {
  append($("tabs"), Object.entries(TABS).map(([key, { name, badge: n }]) =>
    el("button", { type: "button", role: "tab", id: `tab-${key}`, "data-tab": key, "aria-controls": "view", onclick: () => show(key) }, name, n > 0 && el("span", { class: "n" }, n.toLocaleString("en")))));
  $("tabs").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const keys = Object.keys(TABS);
    show(keys[(keys.indexOf(tab) + by + keys.length) % keys.length]);
    $(`tab-${tab}`).focus();
  });
}

overview();
fleet();
buildTabs();
buildFilters();
Object.assign(filter, { host: HASH.get("host") || "", severity: HASH.get("severity") || "", area: HASH.get("area") || "", text: (HASH.get("text") || "").toLowerCase() });
$("f-text").value = filter.text;
$("results").hidden = false;
show();
const wanted = HASH.get("open") && ROWS.find((row) => `${row.host.name}/${row.result.id}` === HASH.get("open"));
if (wanted) openDetail(wanted);
