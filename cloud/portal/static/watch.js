// The page of the player: which video, which version, which one beside it; all of it in the address.
import { useEffect, useState } from "preact/hooks";
import { PickFiles, UploadList, useDrop, useUploads } from "./dropping.js";
import { mediumWords, taughtFirst } from "./frames.js";
import { Empty, Failure, Loading, api, html, mount, setTitle, useAction, useLoad } from "./ui.js";
import { useWatched } from "./watchdata.js";
import { WatchRoom } from "./watchroom.js";
import { plural } from "./words.js";

const asked = new URLSearchParams(location.search);
const numberOf = (name) => (/^\d+$/.test(asked.get(name) ?? "") ? Number(asked.get(name)) : null);

/** The address of a moment. */
function addressOf({ media, version, other, frame }) {
  const query = new URLSearchParams({ video: media, version, ...(other ? { with: other } : {}), ...(frame ? { frame } : {}) });
  return `${location.origin}${location.pathname}?${query}`;
}

/** The thresholds of a version by class; an empty object until they are known. */
function useThresholds(detectorId, version) {
  const [known, setKnown] = useState({});
  useEffect(() => {
    if (version == null) return undefined;
    let isWanted = true;
    api(`/detectors/${detectorId}/versions/${version}/thresholds`).then(({ thresholds }) => isWanted && setKnown(thresholds)).catch(() => {});
    return () => { isWanted = false; };
  }, [detectorId, version]);
  return known;
}

function NoVideo({ detector, onMedia }) {
  const uploads = useUploads(onMedia);
  const add = (files) => uploads.add(detector.id, files);
  const over = useDrop(add);
  return html`<div class="stack">
    <${Empty} title="Which video shall be watched?" over=${over}><p>Drop a video anywhere on this page; “${detector.name}” looks through it, and you say what is right and wrong.</p>
      <${PickFiles} onFiles=${add} primary words="Choose a video" /><//>
    <${UploadList} rows=${uploads.rows} onRetry=${(row) => uploads.retry(detector.id, row)} onForget=${uploads.forget} />
  </div>`;
}

/** Looks by itself where nobody has looked yet: who opens the page wants to see something. */
function useFirstLook({ watched, begin }) {
  const isNew = watched !== null && watched.until === 0 && !watched.job;
  const [done, setDone] = useState(null);
  useEffect(() => {
    if (!isNew || done === watched.version) return;
    setDone(watched.version);
    begin();
  }, [isNew, watched?.version]);
}

function Choice({ videos, media, versions, version, other, onMedia, onVersion, onOther }) {
  return html`<div class="row">
    <label class="inline">Video <select value=${media.id} onChange=${(e) => onMedia(e.currentTarget.value)}>${videos.map((one) => html`<option key=${one.id} value=${one.id}>${mediumWords(one)}</option>`)}</select></label>
    <label class="inline">Version <select value=${version} onChange=${(e) => onVersion(Number(e.currentTarget.value))}>${versions.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    ${versions.length > 1 && html`<label class="inline">Beside it <select value=${other ?? ""} onChange=${(e) => onOther(Number(e.currentTarget.value) || null)}>
      <option value="">no other version</option>${versions.filter((one) => one !== version).map((one) => html`<option key=${one} value=${one}>version ${one}, dotted</option>`)}</select></label>`}
  </div>`;
}

/** What can be done with a version that was just trained: here, and not three pages away. */
function Made({ detector, made, version, onBeside, onReload }) {
  const [use, busy, error] = useAction(async () => {
    await api(`/detectors/${detector.id}/versions/${made}/use`, { method: "POST" });
    await onReload();
  });
  const used = detector.in_use === made;
  return html`<div class="note stack tight" role="status">
    <div class="row apart"><span>Version ${made} is trained${used ? " and in use" : ""}.</span>
      <span class="row">${made !== version && html`<button type="button" onClick=${onBeside}>Watch it beside version ${version}</button>`}
      ${!used && html`<button type="button" class="primary" disabled=${busy} onClick=${use}>Use this version</button>`}
      <a href=${`/detectors/${detector.id}/versions?version=${made}`}>How good it is</a>
      <a class=${used ? "button primary" : "button"} href=${`/detectors/${detector.id}#shrink`}>Shrink and send</a></span></div>
    ${error && html`<${Failure} error=${error} />`}
  </div>`;
}

function Room({ detector, videos, onReload }) {
  const numbers = detector.versions.map((one) => one.version).reverse();
  const [mediaId, setMedia] = useState(asked.get("video") ?? videos[0].id);
  const [version, setVersion] = useState(numbers.includes(numberOf("version")) ? numberOf("version") : detector.in_use ?? numbers[0]);
  const [other, setOther] = useState(numbers.includes(numberOf("with")) ? numberOf("with") : null);
  const [first, setFirst] = useState(numberOf("frame") ?? 0);
  const [made, setMade] = useState(null);
  const media = videos.find((one) => one.id === mediaId) ?? null;
  const beside = other === version ? null : other;
  const source = useWatched(detector.id, media?.id, version);
  const second = useWatched(detector.id, media?.id, beside);
  const own = useThresholds(detector.id, version);
  const otherOwn = useThresholds(detector.id, beside);
  useFirstLook(source);
  const linkTo = (frame) => addressOf({ media: mediaId, version, other: beside, frame });
  useEffect(() => { if (media) history.replaceState(null, "", linkTo(first)); }, [mediaId, version, beside]);
  if (!media) return html`<p class="note">The video of this link is not here any more. <a href=${location.pathname}>Watch another one</a></p>`;
  const trained = async (job) => { await onReload(); if (job.state === "done") setMade(job.result?.version ?? null); };
  const onHere = (frame) => history.replaceState(null, "", linkTo(frame));

  return html`<div class="stack">
    <div class="row apart"><${Choice} videos=${videos} media=${media} versions=${numbers} version=${version} other=${beside}
      onMedia=${(id) => { setFirst(0); setMedia(id); }} onVersion=${setVersion} onOther=${setOther} />
      <span class="row"><a href=${`/detectors/${detector.id}`}>Teach</a> <a href=${`/detectors/${detector.id}/versions`}>Versions</a></span></div>
    ${made && html`<${Made} detector=${detector} made=${made} version=${version} onReload=${onReload}
      onBeside=${() => { setOther(version); setVersion(made); }} />`}
    <${WatchRoom} key=${media.id} detector=${detector} media=${media} version=${version} source=${source} own=${own}
      other=${{ version: beside, source: second, own: otherOwn }} first=${first} onHere=${onHere} onTrained=${trained} linkTo=${linkTo} />
  </div>`;
}

function Page({ detector: id }) {
  const detector = useLoad(() => api(`/detectors/${id}`));
  const media = useLoad(() => api(`/detectors/${id}/media`));
  useEffect(() => { if (detector.value) setTitle(`Watch “${detector.value.name}”`); }, [detector.value?.name]);
  const failure = detector.error ?? media.error;
  const reload = () => { detector.reload(); media.reload(); };
  if (failure && !(detector.value && media.value)) return html`<${Failure} error=${failure} retry=${reload} />`;
  if (!detector.value || !media.value) return html`<${Loading} />`;
  // What is said about a video that is kept for the test teaches nothing: another one comes first.
  const ready = taughtFirst(media.value.filter((one) => one.kind === "video" && one.state === "ready"));
  const waiting = media.value.filter((one) => one.kind === "video" && one.state === "preparing");
  if (!detector.value.versions.length) {
    return html`<${Empty} title="Nothing to watch with yet"><p>“${detector.value.name}” is not trained. Draw boxes on a few frames and train it once; then it looks through your videos.</p>
      <a class="button primary" href=${`/detectors/${detector.value.id}#teach`}>Teach it</a><//>`;
  }
  if (!ready.length) {
    return html`<div class="stack">${waiting.length > 0 && html`<p class="note" role="status">${plural(waiting.length, "video")} still being prepared. <button type="button" onClick=${media.reload}>Look again</button></p>`}
      <${NoVideo} detector=${detector.value} onMedia=${media.reload} /></div>`;
  }
  return html`<${Room} detector=${detector.value} videos=${ready} onReload=${detector.reload} />`;
}

mount(Page);
