// Forms of attributes: make one, change one.
import { useState } from "preact/hooks";
import { changeOf, lostExamples } from "./attributewords.js";
import { Failure, api, html, useAction } from "./ui.js";
import { plural } from "./words.js";

const MOST_VALUES = 20;

function ValueFields({ rows, onRows }) {
  const set = (i, name) => onRows(rows.map((row, other) => (other === i ? { ...row, name } : row)));
  return html`<fieldset class="stack tight">
    <legend>Values that are told apart</legend>
    ${rows.map((row, i) => html`<div key=${row.key} class="row value">
      <input aria-label=${`Value ${i + 1}`} placeholder=${["diet", "regular"][i] ?? ""} value=${row.name} onInput=${(e) => set(i, e.currentTarget.value)} maxlength="80" required />
      ${rows.length > 2 && html`<button type="button" class="quiet" aria-label=${`Leave out value ${i + 1}${row.name && `, ${row.name}`}`} onClick=${() => onRows(rows.filter((_, other) => other !== i))}>Leave out</button>`}
    </div>`)}
    ${rows.length < MOST_VALUES && html`<div><button type="button" class="quiet" onClick=${() => onRows([...rows, { key: `new ${Math.random()}`, was: null, name: "" }])}>+ Value</button></div>`}
  </fieldset>`;
}

function PeopleRule({ label, isAllowed, onAllowed, by, onBy }) {
  return html`<fieldset class="note stack tight">
    <legend>People</legend>
    <p>Telling people apart is personal data in most laws. It is off for “${label}” unless somebody allows it; the name is kept with the attribute.</p>
    <label class="inline"><input type="checkbox" checked=${isAllowed} onChange=${(e) => onAllowed(e.currentTarget.checked)} required /> The law and those people allow it</label>
    <label>Name of who allows it <input value=${by} onInput=${(e) => onBy(e.currentTarget.value)} maxlength="200" required autocomplete="name" /></label>
  </fieldset>`;
}

/**
 * @param labels the classes of the detector, as the API lists them: {name, names_people}
 * @param onMade gets the new attribute
 */
export function NewAttribute({ detector, labels, onMade, onCancel }) {
  const [name, setName] = useState("");
  const [label, setLabel] = useState(labels[0].name);
  const [rows, setRows] = useState([0, 1].map((key) => ({ key, was: null, name: "" })));
  const [isAllowed, setAllowed] = useState(false);
  const [by, setBy] = useState("");
  const isOfPeople = labels.find((one) => one.name === label)?.names_people ?? false;
  const [make, busy, error] = useAction(async () => {
    const json = { name, labels: [label], values: rows.map((row) => row.name), ...(isOfPeople && isAllowed && { allow_people_by: by }) };
    onMade(await api(`/detectors/${detector}/attributes`, { method: "POST", json }));
  });
  return html`<form class="card stack form" aria-labelledby="new-title" onSubmit=${(e) => { e.preventDefault(); make(); }}>
    <h2 id="new-title">New attribute</h2>
    <label>Things of which class? <select value=${label} onChange=${(e) => { setLabel(e.currentTarget.value); setAllowed(false); }}>
      ${labels.map((one) => html`<option value=${one.name}>${one.name}</option>`)}</select></label>
    <label>What is told about them? <input value=${name} onInput=${(e) => setName(e.currentTarget.value)} placeholder="kind" maxlength="80" required /></label>
    <${ValueFields} rows=${rows} onRows=${setRows} />
    ${isOfPeople && html`<${PeopleRule} label=${label} isAllowed=${isAllowed} onAllowed=${setAllowed} by=${by} onBy=${setBy} />`}
    ${error && html`<${Failure} error=${error} />`}
    <div class="row"><button class="primary" disabled=${busy}>Make attribute</button>
      ${onCancel && html`<button type="button" class="quiet" onClick=${onCancel}>Cancel</button>`}</div>
  </form>`;
}

/** @param onChanged gets the changed attribute, null when it was removed */
export function ChangeAttribute({ detector, attribute, onChanged, onCancel }) {
  const path = `/detectors/${detector}/attributes/${attribute.slug}`;
  const [name, setName] = useState(attribute.name);
  const [rows, setRows] = useState(attribute.values.map((one) => ({ key: one.name, was: one.name, name: one.name })));
  const [isSure, setSure] = useState(false);
  const [save, saving, saveError] = useAction(async () => {
    const json = changeOf(attribute, name, rows);
    if (json) onChanged(await api(path, { method: "PATCH", json }));
    else onCancel();
  });
  const [remove, removing, removeError] = useAction(async () => { await api(path, { method: "DELETE" }); onChanged(null); });
  const error = saveError ?? removeError;
  const lost = lostExamples(attribute, rows);
  const all = attribute.values.reduce((sum, one) => sum + one.examples, 0);
  return html`<form class="card stack form" aria-labelledby="change-title" onSubmit=${(e) => { e.preventDefault(); save(); }}>
    <h2 id="change-title">Change “${attribute.name}”</h2>
    <label>Name <input value=${name} onInput=${(e) => setName(e.currentTarget.value)} maxlength="80" required /></label>
    <${ValueFields} rows=${rows} onRows=${setRows} />
    ${lost > 0 && html`<p class="note" role="status">${plural(lost, "example")} will be forgotten with what you left out.</p>`}
    ${error && html`<${Failure} error=${error} />`}
    <div class="row apart">
      <div class="row"><button class="primary" disabled=${saving || removing}>Save</button><button type="button" class="quiet" onClick=${onCancel}>Cancel</button></div>
      ${!isSure && html`<button type="button" class="quiet" onClick=${() => setSure(true)}>Remove this attribute</button>`}
    </div>
    ${isSure && html`<div class="note bad"><p>Remove “${attribute.name}” with its ${plural(all, "example")}? Cameras that know it keep it until they get another bundle.</p>
      <div class="row"><button type="button" disabled=${saving || removing} onClick=${remove}>Remove</button><button type="button" onClick=${() => setSure(false)}>Keep</button></div></div>`}
  </form>`;
}
