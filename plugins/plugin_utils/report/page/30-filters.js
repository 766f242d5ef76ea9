const filter = { text: "", host: "", severity: "", area: "", states: [] };

function matches(row, words) {
  return (!filter.host || row.host.name === filter.host)
    && (!filter.severity || row.result.severity === filter.severity)
    && (!filter.area || row.control.area === filter.area)
    && (!filter.states.length || filter.states.includes(row.result.state))
    && words.every((word) => row.hostText.includes(word) || TEXT.get(row.result).includes(word));
}
function matching() {
  const words = filter.text.split(/\s+/).filter(Boolean);
  return ROWS.filter((row) => matches(row, words));
}
const isFiltered = () => Boolean(filter.text || filter.host || filter.severity || filter.area || filter.states.length);

function picker(key, label, values) {
  return el("select", { id: `f-${key}`, "aria-label": label, onchange: (event) => { filter[key] = event.target.value; show(); } },
    el("option", { value: "" }, label), values.map((value) => el("option", { value }, value)));
}

function buildFilters() {
  const areas = [...new Set(Object.values(CONTROLS).map((control) => control.area))].sort();
  const present = Object.keys(STATES).filter((state) => REPORT.verdict.counts[state]);
  let timer = 0;
  append($("filters"), [
    el("input", { id: "f-text", type: "search", placeholder: "Search id, title, value …  ( / )", "aria-label": "Search", autocomplete: "off", oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => { filter.text = event.target.value.trim().toLowerCase(); show(); }, 120);
    } }),
    picker("host", "All hosts", REPORT.hosts.map((host) => host.name)),
    picker("severity", "All severities", SEVERITIES),
    picker("area", "All areas", areas),
    el("span", { class: "chips", role: "group", "aria-label": "States" }, present.map((state) =>
      el("button", { type: "button", class: `chip ${state}`, "data-state": state, "aria-pressed": "false", onclick: () => {
        filter.states = filter.states.includes(state) ? filter.states.filter((s) => s !== state) : [...filter.states, state];
        show();
      } }, STATES[state].label))),
    el("button", { type: "button", id: "f-reset", class: "ghost", onclick: () => focusOn({}) }, "Reset"),
    el("output", { id: "f-count", class: "muted", "aria-live": "polite" }),
  ]);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) && !$("detail").open) {
      event.preventDefault();
      $("f-text").focus();
    }
  });
}

function syncFilters(shown) {
  for (const key of ["host", "severity", "area"]) $(`f-${key}`).value = filter[key];
  if (document.activeElement !== $("f-text")) $("f-text").value = filter.text;
  for (const chip of document.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", String(filter.states.includes(chip.dataset.state)));
  $("f-reset").hidden = !isFiltered();
  $("f-count").textContent = shown === null ? "" : `${shown.toLocaleString("en")} of ${ROWS.length.toLocaleString("en")}`;
}

/** Replace the whole filter, as a click on a host, a state or a severity asks for. */
function focusOn({ text = "", host = "", severity = "", area = "", states = [], tab = null }) {
  Object.assign(filter, { text, host, severity, area, states });
  $("f-text").value = text;
  show(tab);
  if (tab) $("results").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}
