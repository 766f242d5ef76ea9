function ring(value, label, size, tone) {
  const radius = 42, length = 2 * Math.PI * radius;
  const part = value === null || value === undefined ? 0 : value / 100;
  const drawing = svg("svg", { viewBox: "0 0 100 100", class: `ring ${size} ${tone}`, role: "img", "aria-label": `${label} ${pct(value)} percent` },
    svg("circle", { cx: 50, cy: 50, r: radius, class: "track" }));
  if (part > 0) drawing.append(svg("circle", { cx: 50, cy: 50, r: radius, class: "fill", "stroke-dasharray": `${part * length} ${length}`, transform: "rotate(-90 50 50)" }));
  const text = svg("text", { x: 50, y: size === "small" ? 58 : 57, class: "num" });
  text.textContent = value === null || value === undefined ? "–" : size === "small" ? String(Math.floor(value)) : pct(value);
  drawing.append(text);
  return drawing;
}
/** A high score of little coverage is not good news: it is coloured as fair at best. */
const tone = ({ score, coverage }) => (score === null ? "none" : score >= 95 && coverage >= 80 ? "good" : score >= 80 ? "fair" : "poor");

function sparkline() {
  const trend = REPORT.trend || [];
  const points = [...trend, { finished: REPORT.run.finished, score: REPORT.verdict.score }].filter((run) => run.score !== null);
  if (points.length < 2) return null;
  const low = Math.min(...points.map((run) => run.score)), high = Math.max(...points.map((run) => run.score));
  const place = (run, i) => [4 + (i * 192) / (points.length - 1), 32 - (high === low ? 14 : ((run.score - low) / (high - low)) * 28)];
  const line = points.map(place);
  const [x, y] = line[line.length - 1];
  return el("div", { class: "trend" },
    svg("svg", { viewBox: "0 0 200 36", role: "img", "aria-label": `Score of the last ${points.length} runs: ${points.map((run) => pct(run.score)).join(", ")}` },
      svg("polyline", { points: line.map((p) => p.map((n) => n.toFixed(1)).join(",")).join(" ") }), svg("circle", { cx: x, cy: y, r: 3 })),
    el("span", { class: "muted" }, `score over ${count(points.length, "run")}, ${pct(low)} to ${pct(high)}`));
}

function stack(counts) {
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const words = Object.keys(STATES).filter((state) => counts[state]).map((state) => `${counts[state]} ${STATES[state].label}`);
  const bar = el("div", { class: "stack", role: "img", "aria-label": words.join(", ") || "nothing measured" });
  for (const state of Object.keys(STATES)) {
    if (!counts[state]) continue;
    const part = el("i", { class: state, title: `${counts[state]} ${STATES[state].label}` });
    part.style.flexGrow = counts[state] / total;
    bar.append(part);
  }
  return bar;
}

function overview() {
  const { verdict } = REPORT;
  const measured = REPORT.hosts.filter((host) => host.state === "measured").length;
  append($("gauges"), [
    el("div", { class: "gauge" }, ring(verdict.score, "Score", "large", tone(verdict)), el("b", {}, "Score"), el("span", { class: "muted" }, "weighted by severity")),
    el("div", { class: "gauge" }, ring(verdict.coverage, "Coverage", "large", "cover"), el("b", {}, "Coverage"), el("span", { class: "muted" }, `${measured} of ${count(REPORT.hosts.length, "host")} measured`)),
    sparkline(),
  ]);
  const open = group(ROWS.filter((row) => row.result.state === "fail"), (row) => row.result.severity);
  append($("spread"), [
    el("h2", {}, `${count(ROWS.length, "result")}`),
    stack(verdict.counts),
    el("div", { class: "legend" }, Object.keys(STATES).filter((state) => verdict.counts[state]).map((state) =>
      el("button", { type: "button", class: `key ${state}`, onclick: () => focusOn({ states: [state], tab: "all" }) },
        el("i", { "aria-hidden": "true" }), el("b", {}, verdict.counts[state].toLocaleString("en")), STATES[state].label))),
    open.size > 0 && el("p", { class: "open" }, "Failing: ", SEVERITIES.filter((s) => open.has(s)).map((s) =>
      el("button", { type: "button", class: `sev ${s}`, onclick: () => focusOn({ severity: s, tab: "failures" }) }, `${open.get(s).length} ${s}`))),
  ]);
  const changes = REPORT.changes && REPORT.changes.previous;
  $("since").textContent = changes
    ? `Since ${when(changes.since.finished)}: ${count(changes.new_failures.length, "new failure")}, ${changes.fixed.length} fixed, ${count(changes.changed_values.length, "changed value")}.`
    : "First run in this history: nothing to compare with yet.";
}

function hostCard(host) {
  const facts = host.context || {};
  const os = facts.os ? [facts.os.id, facts.os.version].filter(Boolean).join(" ") : "";
  const bad = host.counts.fail || 0, open = UNDECIDED.reduce((sum, state) => sum + (host.counts[state] || 0), 0);
  const body = host.state !== "measured" ? [el("p", { class: "why" }, host.reason)] : [
    el("p", { class: "tally" }, el("b", { class: bad ? "bad" : "" }, count(bad, "failure")), open > 0 && el("span", { class: "open" }, `${open} undecided`)),
    stack(host.counts),
    el("p", { class: "facts muted" }, [os, facts.virt, facts.kernel].filter(Boolean).map((fact) => say(fact)).join(" · ")),
  ];
  return el("button", { type: "button", class: `card host ${host.state}`, onclick: () => focusOn({ host: host.name, tab: host.state === "measured" ? "all" : "gaps" }), "aria-label": `Show the results of ${host.name}` },
    el("span", { class: "host-head" },
      el("span", { class: "host-name" }, el("strong", {}, host.name), simulated(facts), el("span", { class: "mode" }, host.state === "measured" ? `${host.mode || "no mode"} · ${pct(host.coverage)} % cover` : host.state)),
      host.state === "measured" ? ring(host.score, "Score", "small", tone(host)) : el("span", { class: "lost", "aria-hidden": "true" }, "!")),
    body);
}

function simulated(facts) {
  const kinds = facts.simulated || [];
  return kinds.length > 0 && el("span", { class: "simulated", title: "No such hardware: recorded answers are replayed" }, `simulated: ${kinds.map(say).join(", ")}`);
}

function fleet() {
  const order = (host) => (host.state !== "measured" ? -1 : host.score === null ? 101 : host.score);
  const hosts = [...REPORT.hosts].sort((a, b) => order(a) - order(b) || byName(a.name, b.name));
  const modes = group(hosts, (host) => host.mode || "no mode");
  $("fleet-n").textContent = [...modes].map(([mode, list]) => `${list.length} ${mode}`).join(" · ") + (hosts.length > 4 ? " · weakest first" : "");
  const shown = hosts.length > 15 ? 10 : hosts.length;
  append($("hosts"), hosts.slice(0, shown).map(hostCard));
  if (shown < hosts.length) {
    const more = el("button", { type: "button", class: "ghost wide", onclick: () => { more.remove(); lazily($("hosts"), hosts.slice(shown), hostCard, 60); } }, `Show all ${hosts.length} hosts`);
    $("hosts").append(more);
  }
  $("fleet").hidden = false;
}
