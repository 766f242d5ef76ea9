const nothing = (text) => el("p", { class: "card empty" }, text);

function nextStep(text) {
  const button = el("button", { type: "button", class: "ghost copy", onclick: () => {
    navigator.clipboard.writeText(text).then(() => { button.textContent = "Copied"; }, () => { button.textContent = "Select the text to copy it"; });
  } }, "Copy");
  return el("p", { class: "next" }, el("b", {}, "Next step"), el("code", {}, text), button);
}

const hostLink = (row) => el("button", { type: "button", class: "host-link", onclick: () => openDetail(row) }, row.host.name);

function findingCard([id, rows]) {
  const { control, result } = rows[0];
  const alike = [...group(rows, (row) => `${say(row.result.observed)}\n${say(row.result.expected)}\n${row.result.state}\n${row.result.reason || ""}`).values()];
  return el("article", { class: `card finding ${result.severity}` },
    el("header", {}, badge(result.severity), el("code", { class: "id" }, id), el("h3", {}, control.title),
      rows.length > 1 && el("span", { class: "muted" }, count(rows.length, "host"))),
    alike.map((same) => el("div", { class: "seen" },
      el("p", { class: "on" }, UNDECIDED.includes(same[0].result.state) && stateTag(same[0].result.state), same.map(hostLink)),
      el("dl", { class: "pair" },
        (same[0].result.observed || same[0].result.expected || !same[0].result.reason) && [
          el("dt", {}, "found"), el("dd", { class: "found" }, say(same[0].result.observed)),
          el("dt", {}, "wanted"), el("dd", {}, say(same[0].result.expected))],
        same[0].result.reason && [el("dt", {}, "why"), el("dd", { class: "why" }, same[0].result.reason)]))),
    control.remedy && nextStep(control.remedy));
}

function viewFailures(panel, rows) {
  const failing = rows.filter((row) => row.result.state === "fail").sort(bySeverity);
  const open = rows.filter((row) => UNDECIDED.includes(row.result.state)).sort(bySeverity);
  const lost = REPORT.hosts.filter((host) => host.state !== "measured" && (!filter.host || filter.host === host.name));
  for (const host of lost) panel.append(el("article", { class: "card finding lost-host" }, el("header", {}, el("span", { class: "sev critical" }, host.state), el("h3", {}, host.name)), el("p", {}, host.reason)));
  if (!failing.length && !open.length && !lost.length) {
    panel.append(nothing(isFiltered() ? "Nothing matches this filter." : "Nothing fails, and nothing is undecided."));
    return;
  }
  const list = el("div", { class: "findings" });
  panel.append(list);
  const heading = (text) => el("h2", { class: "section" }, text);
  const items = [];
  if (failing.length) items.push(heading("Failing"), ...group(failing, (row) => row.result.id));
  if (open.length) items.push(heading("Could not be decided: neither pass nor fail"), ...group(open, (row) => row.result.id));
  lazily(list, items, (item) => (item instanceof Node ? item : findingCard(item)), 30);
}

function viewMatrix(panel, rows) {
  if (!rows.length) { panel.append(nothing("Nothing matches this filter.")); return; }
  const names = REPORT.hosts.filter((host) => host.state === "measured" && (!filter.host || host.name === filter.host)).map((host) => host.name);
  const lines = [];
  for (const [area, inArea] of [...group(rows, (row) => row.control.area)].sort((a, b) => byName(a[0], b[0]))) {
    const ids = [...group(inArea, (row) => row.result.id)].sort((a, b) => byName(a[0], b[0]));
    lines.push({ area, size: ids.length }, ...ids.map(([id, list]) => ({ id, list })));
  }
  const body = el("tbody", {});
  const table = el("table", { class: `matrix ${names.length > 8 ? "many" : ""}` },
    el("caption", { class: "quiet" }, "Every control on every host. Arrow keys move, Enter opens the evidence."),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "corner" }, "Control"), names.map((name) => el("th", { scope: "col", title: name }, el("span", {}, name))))), body);
  panel.append(el("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Matrix of controls and hosts" }, table));
  table.addEventListener("keydown", moveInMatrix);
  lazily(body, lines, (line) => matrixLine(line, names), Math.ceil(2000 / Math.max(names.length, 50)));
  const first = body.querySelector("button");
  if (first) first.tabIndex = 0;
}

function matrixLine(line, names) {
  if (line.area !== undefined) return el("tr", { class: "area" }, el("th", { colspan: names.length + 1, scope: "rowgroup" }, line.area, el("span", { class: "muted" }, ` ${count(line.size, "control")}`)));
  const byHost = new Map(line.list.map((row) => [row.host.name, row]));
  const { control, result } = line.list[0];
  return el("tr", {},
    el("th", { scope: "row" }, el("span", { class: `dot ${result.severity}`, title: result.severity }), el("code", {}, line.id), el("span", { class: "t" }, control.title)),
    names.map((name) => {
      const row = byHost.get(name);
      if (!row) return el("td", { class: "none" });
      const { state } = row.result;
      return el("td", {}, el("button", { type: "button", tabindex: "-1", class: `cell ${state}`, title: `${name}: ${STATES[state].label}`, "aria-label": `${line.id} on ${name}: ${STATES[state].label}`, onclick: () => openDetail(row) }, STATES[state].sign));
    }));
}

function moveInMatrix(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  event.preventDefault();
  let line = cell.parentElement, column = cell.cellIndex;
  for (;;) {
    if (step[0]) line = step[0] < 0 ? line.previousElementSibling : line.nextElementSibling;
    column += step[1];
    if (!line || column < 1 || (line.cells.length > 1 && column >= line.cells.length)) return;
    const target = line.cells[column] && line.cells[column].querySelector("button");
    if (target) {
      event.target.tabIndex = -1;
      target.tabIndex = 0;
      target.focus();
      return;
    }
  }
}

function viewAll(panel, rows) {
  if (!rows.length) { panel.append(nothing("Nothing matches this filter.")); return; }
  const byState = group([...rows].sort(bySeverity), (row) => row.result.state);
  const sorted = Object.keys(STATES).flatMap((state) => byState.get(state) || []);
  const body = el("tbody", {});
  panel.append(el("div", { class: "card scroll" }, el("table", { class: "plain rows" },
    el("thead", {}, el("tr", {}, ["State", "Severity", "Control", "Host", "Found"].map((name) => el("th", { scope: "col" }, name)))), body)));
  lazily(body, sorted, (row) => el("tr", { onclick: () => openDetail(row) },
    el("td", {}, stateTag(row.result.state)), el("td", {}, badge(row.result.severity)),
    el("td", {}, el("button", { type: "button", class: "title", onclick: (event) => { event.stopPropagation(); openDetail(row); } }, el("code", {}, row.result.id), el("span", {}, row.control.title))),
    el("td", { class: "nowrap" }, row.host.name),
    el("td", { class: "clip" }, ["pass", "fail", "waived"].includes(row.result.state) ? say(row.result.observed) : row.result.reason || say(row.result.observed))), 80);
}
