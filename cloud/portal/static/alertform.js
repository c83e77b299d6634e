// The form of an alert: what to tell, when, and where.
import { useState } from "preact/hooks";
import { COOLDOWNS_S, DIGESTS_S, PICTURES, ruleOf } from "./alertwords.js";
import { lengthWords, withOwn } from "./searchparts.js";
import { Failure, api, html, useAction } from "./ui.js";

const MOST_CHANNELS = 10;

function Choices({ words, names, chosen, onChange }) {
  const all = [...new Set([...names, ...chosen])];
  if (!all.length) return null;
  return html`<fieldset><legend>${words}</legend><div class="row">
    ${all.map((name) => html`<button key=${name} type="button" class="chip" aria-pressed=${chosen.includes(name)}
      onClick=${() => onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name])}><span class="clip">${name}</span></button>`)}
  </div></fieldset>`;
}

function Channels({ rows, kinds, onRows }) {
  return html`<fieldset class="stack tight"><legend>Where to</legend>
    ${rows.map((row, i) => html`<div key=${row.key} class="row value">
      ${row.shown ? html`<span class="grow">${row.shown} <span class="muted">(the address that it has; it is not shown)</span></span>`
        : html`<input class="grow" aria-label=${`Address ${i + 1}`} value=${row.address} placeholder="ntfys://YOUR-SECRET-TOPIC" onInput=${(e) => onRows(rows.map((one, other) => (other === i ? { ...one, address: e.currentTarget.value } : one)))} required autocomplete="off" spellcheck="false" />`}
      ${rows.length > 1 && html`<button type="button" class="quiet" aria-label=${`Leave out address ${i + 1}`} onClick=${() => onRows(rows.filter((_, other) => other !== i))}>Leave out</button>`}
    </div>`)}
    ${rows.length < MOST_CHANNELS && html`<div><button type="button" class="quiet" onClick=${() => onRows([...rows, { key: `new ${Math.random()}`, address: "", shown: null }])}>+ Address</button></div>`}
    <details><summary>How addresses are written</summary>
      <dl class="wide"><div><dt>ntfy</dt><dd><code>ntfys://TOPIC</code></dd></div><div><dt>e-mail</dt><dd><code>mailtos://USER:PASSWORD@smtp.example.org?to=me@example.org</code></dd></div>
      <div><dt>webhook</dt><dd><code>jsons://HOST/PATH</code></dd></div><div><dt>Home Assistant</dt><dd><code>hassios://HOST/TOKEN</code></dd></div></dl>
      <p class="muted">Allowed here: ${kinds.join(", ")}.</p></details>
  </fieldset>`;
}

function Attributes({ known, chosen, onChange }) {
  const slugs = [...new Set([...Object.keys(known), ...Object.keys(chosen)])];
  if (!slugs.length) return null;
  const set = (slug, value) => onChange(Object.fromEntries(Object.entries({ ...chosen, [slug]: value }).filter(([, one]) => one)));
  return html`<div class="row">${slugs.map((slug) => html`<label key=${slug}>${slug}<select value=${chosen[slug] ?? ""} onChange=${(e) => set(slug, e.currentTarget.value)}>
    <option value="">any</option>${[...new Set([...(known[slug] ?? []), ...(chosen[slug] ? [chosen[slug]] : [])])].map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>`)}</div>`;
}

const seconds = (options, own, zero) => withOwn(options, own).map((one) => html`<option key=${one} value=${one}>${one ? lengthWords(one) : zero}</option>`);

/**
 * @param alert the id of the alert that is changed, null for a new one
 * @param start the form as `formOf` or `newForm` give it
 */
export function AlertForm({ alert, start, known, searches, kinds, onDone, onCancel }) {
  const [form, setForm] = useState(start);
  const set = (fields) => setForm((before) => ({ ...before, ...fields }));
  const [save, busy, error] = useAction(async () => {
    const json = ruleOf(form);
    onDone(await (alert ? api(`/alerts/${alert}`, { method: "PUT", json }) : api("/alerts", { method: "POST", json })));
  });
  return html`<form class="card stack form" aria-labelledby="form-title" onSubmit=${(e) => { e.preventDefault(); save(); }}>
    <h2 id="form-title">${alert ? `Change “${start.name}”` : "New alert"}</h2>
    <label>Name <input value=${form.name} onInput=${(e) => set({ name: e.currentTarget.value })} maxlength="80" placeholder="front door" required /></label>
    <p class="muted">What to tell: everything that is chosen must hold; what is left open means any.</p>
    <${Choices} words="Classes" names=${known.labels} chosen=${form.labels} onChange=${(labels) => set({ labels })} />
    <${Choices} words="Cameras" names=${known.cameras.map((one) => `${one.device}/${one.camera}`)} chosen=${form.cameras} onChange=${(cameras) => set({ cameras })} />
    <${Choices} words="Zones" names=${known.zones} chosen=${form.zones} onChange=${(zones) => set({ zones })} />
    <${Attributes} known=${known.attributes} chosen=${form.attributes} onChange=${(attributes) => set({ attributes })} />
    <label>Only moments of a saved search <select value=${form.search ?? ""} onChange=${(e) => set({ search: e.currentTarget.value || null })}>
      <option value="">no, every event</option>${searches.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}: ${one.query}</option>`)}</select></label>
    <label>Seen at least this surely <select value=${form.least_score} onChange=${(e) => set({ least_score: Number(e.currentTarget.value) })}>
      ${withOwn([0, 0.5, 0.6, 0.7, 0.8, 0.9], form.least_score).map((one) => html`<option key=${one} value=${one}>${one ? `${Math.round(one * 100)} %` : "any"}</option>`)}</select></label>
    <label>Watch only in these hours <input value=${form.hours} onInput=${(e) => set({ hours: e.currentTarget.value })} placeholder="always, or: mon-fri 08:00-18:00" /></label>
    <label>Quiet hours: told together afterwards <input value=${form.quiet} onInput=${(e) => set({ quiet: e.currentTarget.value })} placeholder="none, or: 22:00-06:00" /></label>
    ${(form.hours || form.quiet) && html`<label>Time zone of these hours <input value=${form.timezone} onInput=${(e) => set({ timezone: e.currentTarget.value })} required /></label>`}
    <label>Collect before telling <select value=${form.digest_s} onChange=${(e) => set({ digest_s: Number(e.currentTarget.value) })}>${seconds(DIGESTS_S, form.digest_s, "no, tell at once")}</select></label>
    ${form.digest_s === 0 && html`<label>Then silent about the same camera and class for <select value=${form.cooldown_s} onChange=${(e) => set({ cooldown_s: Number(e.currentTarget.value) })}>${seconds(COOLDOWNS_S, form.cooldown_s, "no time: tell every event")}</select></label>`}
    <label class="inline"><input type="checkbox" checked=${form.recordings ?? false} onChange=${(e) => set({ recordings: e.currentTarget.checked })} /> Tell also what scans see in recordings, together</label>
    <label>Picture <select value=${form.picture} onChange=${(e) => set({ picture: e.currentTarget.value })}>${PICTURES.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}</select></label>
    ${form.picture === "clear" && html`<p class="note">The picture leaves this server as the camera sent it. Ask the people whom it shows.</p>`}
    <${Channels} rows=${form.channels} kinds=${kinds} onRows=${(channels) => set({ channels })} />
    ${error && html`<${Failure} error=${error} />`}
    <div class="row"><button class="primary" disabled=${busy}>${alert ? "Save" : "Make alert"}</button><button type="button" class="quiet" onClick=${onCancel}>Cancel</button></div>
  </form>`;
}
