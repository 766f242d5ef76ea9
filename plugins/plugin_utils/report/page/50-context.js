function viewGaps(panel, rows) {
  const lost = REPORT.hosts.filter((host) => host.state !== "measured");
  if (lost.length) {
    panel.append(el("h2", { class: "section" }, "Hosts without a measurement"));
    for (const host of lost) panel.append(el("article", { class: "card finding lost-host" }, el("header", {}, el("span", { class: "sev critical" }, host.state), el("h3", {}, host.name)), el("p", {}, host.reason)));
  }
  const gaps = rows.filter((row) => !["pass", "fail", "waived"].includes(row.result.state));
  for (const state of [...UNDECIDED, "manual", "not_applicable"]) {
    const of = gaps.filter((row) => row.result.state === state);
    if (!of.length) continue;
    panel.append(el("h2", { class: "section" }, stateTag(state), ` ${count(of.length, "result")}`));
    const reasons = [...group(of, (row) => row.result.reason || "no reason given")].sort((a, b) => b[1].length - a[1].length);
    const list = el("div", { class: "gaps" });
    panel.append(list);
    lazily(list, reasons, ([reason, same]) => gapCard(reason, same), 30);
  }
  if (!panel.childElementCount) panel.append(nothing("Everything that this filter shows was measured and decided."));
}

function gapCard(reason, rows) {
  const controls = [...group(rows, (row) => row.result.id)].sort((a, b) => byName(a[0], b[0]));
  const card = el("details", { class: "card gap" }, el("summary", {}, el("b", {}, reason), el("span", { class: "muted" }, `${count(controls.length, "control")}, ${count(new Set(rows.map((row) => row.host.name)).size, "host")}`)));
  card.addEventListener("toggle", () => {
    if (card.querySelector("ul")) return;
    card.append(el("ul", {}, controls.map(([id, same]) => el("li", {}, el("code", {}, id), el("span", {}, same[0].control.title), el("span", { class: "on" }, same.map(hostLink))))));
  });
  return card;
}

function viewWaivers(panel) {
  if (!REPORT.waivers.length) { panel.append(nothing("No waivers. A waiver needs an owner, a reason and an expiry date.")); return; }
  const finished = new Date(REPORT.run.finished);
  const left = (waiver) => Math.ceil((new Date(waiver.expires + "T23:59:59Z") - finished) / 86400000);
  const life = (days) => (days < 0 ? el("b", { class: "bad" }, "expired") : el("span", { class: days <= 14 ? "soon" : "muted" }, `${count(days, "day")} left`));
  const hosts = (waiver) => (Array.isArray(waiver.matched) && waiver.matched.length ? waiver.matched.join(", ") : waiver.matched === true ? "yes" : "no host");
  panel.append(el("div", { class: "card scroll" }, el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ["Control", "Hosts", "Applied on", "Owner", "Reason", "Expires", "Ticket"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, [...REPORT.waivers].sort((a, b) => left(a) - left(b)).map((waiver) => el("tr", {},
      el("td", {}, el("code", {}, waiver.control), el("div", { class: "muted" }, (CONTROLS[waiver.control] || {}).title)),
      el("td", {}, waiver.hosts.join(", ")), el("td", {}, hosts(waiver)), el("td", {}, waiver.owner), el("td", {}, waiver.reason),
      el("td", { class: "nowrap" }, waiver.expires, el("div", {}, life(left(waiver)))), el("td", {}, say(waiver.ticket))))))));
}

const ROW_OF = new Map(ROWS.map((row) => [`${row.host.name}\n${row.result.id}`, row]));

function changeLine(change, kind) {
  const row = ROW_OF.get(`${change.host}\n${change.control}`);
  const word = (state) => (state ? stateTag(state) : el("span", { class: "muted" }, "not there"));
  return el("tr", {}, el("td", {}, badge(change.severity)),
    el("td", {}, el("code", {}, change.control), el("div", { class: "muted" }, (CONTROLS[change.control] || {}).title)),
    el("td", { class: "nowrap" }, row ? hostLink(row) : change.host),
    el("td", { class: "flow" }, kind === "changed_values" ? stateTag(change.after) : [word(change.before), el("span", { "aria-label": "became" }, " → "), word(change.after)]),
    el("td", { class: "clip2" }, el("del", {}, say(change.observed_before)), el("ins", {}, say(change.observed_after))));
}

function changesSince(panel, title, changes) {
  panel.append(el("h2", { class: "section" }, title, el("span", { class: "muted" }, ` ${when(changes.since.finished)} · ${changes.since.id} · score ${pct(changes.since.score)}`)));
  const kinds = { new_failures: "New failures", fixed: "Fixed", changed_states: "Other changes of state", changed_values: "Same state, another value", catalogue_changes: "Other results only because the control changed" };
  const lists = { hosts_lost: "Hosts no longer measured", hosts_regained: "Hosts measured again", hosts_appeared: "New hosts", hosts_disappeared: "Hosts gone", controls_appeared: "New controls", controls_disappeared: "Controls gone" };
  let any = false;
  for (const [kind, name] of Object.entries(kinds)) {
    if (!changes[kind].length) continue;
    any = true;
    const body = el("tbody", {});
    panel.append(el("div", { class: `card scroll change ${kind}` }, el("h3", {}, `${name} (${changes[kind].length})`), el("table", { class: "plain" },
      el("thead", { class: "quiet" }, el("tr", {}, ["Severity", "Control", "Host", "State", "Found before and now"].map((text) => el("th", { scope: "col" }, text)))), body)));
    lazily(body, changes[kind], (change) => changeLine(change, kind), 60);
  }
  const named = Object.entries(lists).filter(([key]) => changes[key].length);
  if (named.length) panel.append(el("dl", { class: "card meta" }, named.map(([key, name]) => [el("dt", {}, name), el("dd", {}, changes[key].join(", "))])));
  if (!any && !named.length) panel.append(nothing("Nothing is different."));
  if (changes.catalogue_changed) panel.append(el("p", { class: "muted" }, "The catalogue of controls changed between the two runs; what differs only by that stands apart."));
}

function viewChanges(panel) {
  const { previous, baseline } = REPORT.changes || {};
  if (previous) changesSince(panel, "Since the last run", previous);
  else panel.append(nothing("This is the first run in this history."));
  if (baseline) changesSince(panel, "Since the accepted baseline", baseline);
  else panel.append(el("p", { class: "muted" }, "No baseline is accepted. ", el("code", {}, "rampart report --accept-baseline"), " makes this run the one to compare with."));
}

function viewRun(panel) {
  const names = { id: "Run", title: "Title", playbook: "Playbook", started: "Started", finished: "Finished", collection_version: "Collection", catalogue_sha256: "Catalogue (SHA-256)", controller: "Controller" };
  panel.append(el("dl", { class: "card meta" }, Object.entries(names).map(([key, name]) => [el("dt", {}, name), el("dd", {}, ["started", "finished"].includes(key) ? when(REPORT.run[key]) : say(REPORT.run[key] || "–"))])));
  panel.append(el("div", { class: "card scroll" }, el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ["Host", "Mode", "System", "Kernel", "Kind", "Workload", "Roles"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, REPORT.hosts.map((host) => {
      const facts = host.context || {};
      const os = facts.os ? [facts.os.id, facts.os.version].filter(Boolean).join(" ") : null;
      return el("tr", {}, el("td", {}, host.name, " ", simulated(facts)), [host.mode, os, facts.kernel, facts.virt].map((value) => el("td", { class: "nowrap" }, say(value))), el("td", {}, workload(facts.workload)), el("td", {}, (host.roles || []).join(", ")));
    })))));
}

function workload(carried) {
  if (!carried || typeof carried !== "object") return say(carried);
  const parts = Object.entries(carried).filter(([, value]) => (Array.isArray(value) ? value.length : value));
  return parts.map(([key, value]) => (value === true ? key : `${key}: ${Array.isArray(value) ? value.join(", ") : say(value)}`)).join("; ") || "none";
}
