let current = null;
let visible = [];

function observation(key, host) {
  const at = host.observations.findIndex((place) => DATA.observations[place].key === key);
  const seen = DATA.observations[host.observations[at]], ms = host.ms[at];
  if (!seen) return el("div", { class: "obs" }, el("h4", {}, el("code", {}, key)), el("p", { class: "muted" }, "No observation was recorded."));
  const value = seen.cut ? `${seen.cut}\n… cut: posture.json has all ${seen.size.toLocaleString("en")} characters` : JSON.stringify(seen.value, null, 2);
  return el("div", { class: "obs" },
    el("h4", {}, el("code", {}, key), el("span", { class: `obs-status ${seen.status}` }, seen.status), typeof ms === "number" && el("span", { class: "muted" }, `${ms} ms`)),
    seen.source && el("p", { class: "source" }, "measured by ", el("code", {}, seen.source)),
    seen.reason && el("p", {}, seen.reason),
    value !== undefined && (seen.status === "ok" || seen.value || seen.cut) && el("pre", { tabindex: "0" }, value));
}

function waiverOf(result) {
  if (!result.waiver) return null;
  const waiver = typeof result.waiver === "object" ? result.waiver : REPORT.waivers.find((one) => one.id === result.waiver);
  if (!waiver) return say(result.waiver);
  return `${say(waiver.reason)} (owner ${say(waiver.owner)}, until ${say(waiver.expires)}${waiver.ticket ? `, ${waiver.ticket}` : ""})`;
}

function fillDetail(row) {
  const { host, result, control } = row;
  const refs = Object.entries(control.refs || {});
  const at = visible.indexOf(row);
  const step = (by, sign, label) => el("button", { type: "button", class: "ghost", "aria-label": label, disabled: at < 0 || !visible[at + by], onclick: () => fillDetail(visible[at + by]) }, sign);
  current = row;
  const pairs = [["wanted", result.expected], ["found", result.observed], ["offenders", (result.offenders || []).join(", ")], ["why", result.reason], ["variant", result.because], ["waiver", waiverOf(result)]].filter(([, value]) => value !== null && value !== undefined && value !== "");
  $("detail").replaceChildren(
    el("header", {}, stateTag(result.state), badge(result.severity), el("code", { class: "id" }, result.id), el("span", { class: "grow" }),
      step(-1, "↑", "Previous result"), step(1, "↓", "Next result"), el("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => $("detail").close() }, "✕")),
    el("div", { class: "scroller" },
      el("h2", { id: "detail-h" }, control.title || result.id),
      el("p", { class: "muted" }, `${host.name} · ${host.mode || "no mode"} · role ${control.role || "–"}`),
      control.rationale && el("p", {}, control.rationale),
      el("dl", { class: "pair big" }, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", { class: `${name} ${result.state}` }, say(value))])),
      control.remedy && result.state !== "pass" && nextStep(control.remedy),
      el("h3", {}, "Evidence"), (result.obs || []).length ? result.obs.map((key) => observation(key, host)) : el("p", { class: "muted" }, "This result needed no observation."),
      el("p", { class: "muted" }, `Measured in run ${REPORT.run.id}, finished ${when(REPORT.run.finished)}.`),
      refs.length > 0 && [el("h3", {}, "Contributes to"), el("dl", { class: "meta" }, refs.map(([name, ids]) => [el("dt", {}, name), el("dd", {}, Array.isArray(ids) ? ids.join(", ") : say(ids))]))]));
}

function openDetail(row) {
  fillDetail(row);
  if (!$("detail").open) $("detail").showModal();
}
$("detail").addEventListener("click", (event) => { if (event.target === $("detail")) $("detail").close(); });
$("detail").addEventListener("keydown", (event) => {
  const by = { j: 1, k: -1 }[event.key];
  const next = by && visible[visible.indexOf(current) + by];
  if (next) fillDetail(next);
});
