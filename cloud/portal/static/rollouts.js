// Roll-outs: begin one after a look at what it would do, follow it, stop it; cameras that wait to be let in.
import { useEffect, useState } from "preact/hooks";
import { Empty, Failure, Loading, State, api, html, liveNews, mount, useAction, useLoad } from "./ui.js";
import { ago, kilobytes, plural } from "./words.js";

const LOOK_MS = 5000;
const SIGNS = {
  running: { sign: "◔", words: "Under way" },
  paused: { sign: "‖", words: "Paused" },
  halted: { tone: "bad", sign: "✕", words: "Stopped: too much went wrong" },
  done: { tone: "good", sign: "✓", words: "Done" },
  aborting: { sign: "◔", words: "Ending; cameras under way go back" },
  aborted: { sign: "○", words: "Ended before its time" },
  returning: { sign: "◔", words: "Every camera goes back" },
  returned: { sign: "○", words: "Every camera went back" },
};
// Which orders make sense in which state; the server has the same table and refuses others.
const ORDERS = {
  running: ["pause", "abort", "roll_back"],
  paused: ["continue", "abort", "roll_back"],
  halted: ["retry", "continue", "abort", "roll_back"],
  done: ["retry", "roll_back"],
  aborting: ["roll_back"],
  aborted: ["roll_back"],
};
const ORDER_WORDS = { pause: "Pause", continue: "Go on", abort: "End it", roll_back: "Roll back", retry: "Try failed ones again" };
const MEMBER_WORDS = {
  waiting: "not asked yet", trying: "tries it in the shadow", asked: "asked", watching: "runs it, is watched", succeeded: "succeeded", failed: "failed",
  late: "late", skipped: "left out", returning: "goes back", returned: "went back",
};

const PARTS = [["good", ["succeeded"]], ["bad", ["failed", "late"]], ["warn", ["trying", "asked", "watching", "returning"]]];

const counted = (counts) => Object.entries(counts).map(([state, count]) => `${count} ${MEMBER_WORDS[state]}`).join(" · ");

function Members({ number }) {
  const one = useLoad(() => api(`/rollouts/${number}`), [number]);
  if (one.error) return html`<${Failure} error=${one.error} retry=${one.reload} />`;
  if (!one.value) return html`<${Loading} />`;
  return html`<table><thead><tr><th>Group</th><th>Camera</th><th>State</th><th>Why</th></tr></thead>
    <tbody>${one.value.members.map((member) => html`<tr key=${member.device}>
      <td>${member.group + 1}</td><td class="clip">${member.device}</td><td>${MEMBER_WORDS[member.state]}</td><td>${member.reason ?? member.trial ?? ""}</td>
    </tr>`)}</tbody></table>`;
}

/** How many of all cameras have it, went wrong, or are still to come, as one bar; the words stand above it. */
function Share({ counts }) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  if (!all) return null;
  const parts = PARTS.map(([tone, states]) => [tone, states.reduce((sum, state) => sum + (counts[state] ?? 0), 0)]);
  return html`<div class="share" aria-hidden="true">${parts.filter(([, n]) => n > 0).map(([tone, n]) => html`<span key=${tone} class=${tone} style=${`width:${(n / all) * 100}%`}></span>`)}</div>`;
}

function Card({ rollout, onChange }) {
  const [open, setOpen] = useState(false);
  const [order, busy, error] = useAction(async (what) => {
    await api(`/rollouts/${rollout.number}/${what}`, { method: "POST" });
    onChange();
  });
  const state = SIGNS[rollout.state];
  const orders = ORDERS[rollout.state] ?? [];
  return html`<li class="card stack tight">
    <div class="row apart"><h3 class="clip" title=${rollout.name}>${rollout.name}</h3><${State} ...${state}>${state.words}<//></div>
    ${rollout.reason && html`<p role="alert">${rollout.reason}</p>`}
    <p>Group ${rollout.group + 1} of ${rollout.groups} · ${counted(rollout.counts)}</p>
    <${Share} counts=${rollout.counts} />
    <p class="muted">Begun ${ago(rollout.created)}, last step ${ago(rollout.updated)}</p>
    ${error && html`<${Failure} error=${error} />`}
    <div class="row">
      ${orders.map((what) => html`<button key=${what} type="button" disabled=${busy} onClick=${() => order(what)}>${ORDER_WORDS[what]}</button>`)}
      <button type="button" class="quiet" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "Hide the cameras" : "Show the cameras"}</button>
    </div>
    ${open && html`<${Members} number=${rollout.number} key=${rollout.updated} />`}
  </li>`;
}

function Preview({ shown }) {
  const left = Object.entries(shown.left_out);
  return html`<p role="status">${plural(shown.devices.length, "camera")}, ${kilobytes(shown.total_bytes)} together: ${shown.devices.map((one) => one.device).join(", ")}</p>
    ${left.map(([name, why]) => html`<p class="muted" key=${name}>${name} is left out: ${why}</p>`)}`;
}

/** Bundle and group to choose, a look at what it would do, and the button that begins. */
function Beginning({ bundles, names, groups, onBegun }) {
  const [bundle, setBundle] = useState("");
  const [group, setGroup] = useState("");
  const [name, setName] = useState("");
  const [shadowS, setShadowS] = useState("");
  const [shown, setShown] = useState(null);
  const plan = () => ({
    name: name || names.get(bundles.find((one) => one.id === bundle)?.detector_id) || bundle, bundle_ids: [bundle], selector: { groups: group ? [group] : [] },
    shadow: shadowS ? { look_s: Number(shadowS) } : null,
  });
  const [look, looking, lookError] = useAction(async () => setShown(await api("/rollouts/preview", { method: "POST", json: plan() })));
  const [begin, beginning, beginError] = useAction(async () => {
    await api("/rollouts", { method: "POST", json: plan() });
    setShown(null);
    onBegun();
  });
  const change = (set) => (event) => { set(event.currentTarget.value); setShown(null); };
  const error = lookError ?? beginError;
  return html`<section class="card stack" aria-labelledby="begin-title"><h2 id="begin-title">Begin a roll-out</h2>
    <div class="row">
      <label>What to send<select value=${bundle} onChange=${change(setBundle)}><option value="">choose</option>
        ${bundles.map((one) => html`<option key=${one.id} value=${one.id}>${`${names.get(one.detector_id) ?? one.id} v${one.detector_version} for ${one.profile}, made ${ago(one.created)}`}</option>`)}</select></label>
      <label>Cameras<select value=${group} onChange=${change(setGroup)}><option value="">all</option>
        ${groups.map((one) => html`<option key=${one} value=${one}>group ${one}</option>`)}</select></label>
      <label>The first ones<select value=${shadowS} onChange=${change(setShadowS)}><option value="">install it at once</option>
        <option value="3600">try it in the shadow for an hour</option><option value="86400">try it in the shadow for a day</option></select></label>
      <label>Name<input value=${name} maxlength="80" placeholder="as it is called" onInput=${change(setName)} /></label>
    </div>
    ${error && html`<${Failure} error=${error} />`}
    ${shown && html`<${Preview} shown=${shown} />`}
    <div class="row">
      <button type="button" disabled=${!bundle || looking} onClick=${look}>What would it do?</button>
      <button type="button" class="primary" disabled=${!shown || beginning} onClick=${begin}>Begin</button>
      <span class="muted">${!bundle ? "Choose first what to send." : !shown ? "Look first at what it would do." : ""}</span>
    </div>
  </section>`;
}

function Waiting({ devices, onChange }) {
  const [answer, busy, error] = useAction(async (path, method) => {
    await api(path, { method });
    onChange();
  });
  if (!devices.length) return null;
  return html`<section class="card stack" aria-labelledby="waiting-title"><h2 id="waiting-title">Cameras that wait to be let in</h2>
    ${error && html`<${Failure} error=${error} />`}
    <ul class="plain">${devices.map((one) => html`<li key=${one.name} class="row apart"><span class="clip">${one.name} <span class="muted">${one.profile}</span></span>
      <span class="row"><button type="button" disabled=${busy} onClick=${() => answer(`/devices/${one.name}/accept`, "POST")}>Let ${one.name} in</button>
      <button type="button" class="quiet" disabled=${busy} onClick=${() => answer(`/devices/${one.name}`, "DELETE")}>Refuse ${one.name}</button></span></li>`)}</ul>
  </section>`;
}

function Page() {
  const rollouts = useLoad(() => api("/rollouts"));
  const bundles = useLoad(() => api("/bundles"));
  const devices = useLoad(() => api("/devices"));
  const detectors = useLoad(() => api("/detectors"));
  const reload = () => { rollouts.reload(); devices.reload(); };
  useEffect(() => {
    liveNews((news) => { if (["rollout", "device"].includes(news.type)) reload(); });
    const again = setInterval(reload, LOOK_MS);
    return () => clearInterval(again);
  }, []);
  const error = rollouts.error ?? bundles.error ?? devices.error;
  if (error) return html`<${Failure} error=${error} retry=${() => { reload(); bundles.reload(); }} />`;
  if (!rollouts.value || !bundles.value || !devices.value) return html`<${Loading} />`;
  const published = bundles.value.filter((one) => one.state === "published");
  const groups = [...new Set(devices.value.map((one) => one.group).filter(Boolean))].sort();
  return html`<div class="stack">
    <${Waiting} devices=${devices.value.filter((one) => one.state === "pending")} onChange=${reload} />
    ${published.length > 0 && html`<${Beginning} bundles=${published} names=${new Map((detectors.value ?? []).map((one) => [one.id, one.name]))} groups=${groups} onBegun=${reload} />`}
    ${rollouts.value.length
      ? html`<ul class="plain stack">${rollouts.value.map((one) => html`<${Card} key=${one.number} rollout=${one} onChange=${reload} />`)}</ul>`
      : html`<${Empty} title="No roll-out yet"><p>A roll-out brings a detector to a few cameras first, then to more, and stops when something goes wrong.</p>
        ${!published.length && html`<p>No detector is ready to be sent yet: <a href="/">open one</a>, shrink it and sign it.</p>`}<//>`}
  </div>`;
}

mount(Page);
