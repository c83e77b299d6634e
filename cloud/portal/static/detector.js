// One detector: teach, train, versions, shrink and send, on one page.
import { useEffect, useState } from "preact/hooks";
import { AttributeCard } from "./attributecard.js";
import { isTaught, taughtFirst } from "./frames.js";
import { LiveCard, useLive } from "./live.js";
import { Shrink } from "./shrink.js";
import { Teach } from "./teach.js";
import { Train, Versions } from "./training.js";
import { Failure, Loading, api, html, mount, setTitle, useLoad } from "./ui.js";

function withLabelled(media, id, index, isLabelled) {
  return media.map((one) => {
    if (one.id !== id || one.labelled.includes(index) === isLabelled) return one;
    return { ...one, labelled: isLabelled ? [...one.labelled, index].sort((a, b) => a - b) : one.labelled.filter((i) => i !== index) };
  });
}

function Page({ detector: id }) {
  const detector = useLoad(() => api(`/detectors/${id}`));
  const loaded = useLoad(() => api(`/detectors/${id}/media`));
  const [media, setMedia] = useState(null);
  const teaching = useLive(id);
  const [round, setRound] = useState(0); // a renamed class: boxes that were loaded carry its old name
  useEffect(() => { if (loaded.value) setMedia(taughtFirst(loaded.value)); }, [loaded.value]);
  useEffect(() => { if (detector.value) setTitle(detector.value.name); }, [detector.value?.name]);
  useEffect(() => { if (media && detector.value) document.getElementById(location.hash.slice(1))?.scrollIntoView(); }, [media !== null && detector.value !== null]);

  const failure = detector.error ?? loaded.error;
  if (failure && !(detector.value && media)) return html`<${Failure} error=${failure} retry=${() => { detector.reload(); loaded.reload(); }} />`;
  if (!detector.value || !media) return html`<${Loading} />`;
  const onLabels = async (_answer, renamed) => { await detector.reload(); if (renamed) setRound((n) => n + 1); };
  const onLabelled = (mediaId, index, isLabelled) => { setMedia((before) => withLabelled(before, mediaId, index, isLabelled)); teaching.begin(); };
  const frames = media.filter(isTaught).reduce((sum, one) => sum + one.labelled.length, 0);

  return html`<div class="stack">
    ${failure && html`<${Failure} error=${failure} retry=${() => { detector.reload(); loaded.reload(); }} />`}
    <div class="two">
      <section id="teach" aria-labelledby="teach-title"><h2 id="teach-title" class="sr">Teach</h2>
        <${Teach} key=${round} detector=${detector.value} media=${media} onMedia=${loaded.reload} onLabels=${onLabels} onLabelled=${onLabelled} teaching=${teaching} />
      </section>
      <div class="stack side">
        <section id="live" class="card" aria-labelledby="live-title"><h2 id="live-title">Live</h2>
          <${LiveCard} teaching=${teaching} frames=${frames} />
        </section>
        <section id="train" class="card" aria-labelledby="train-title"><h2 id="train-title">Train</h2>
          <${Train} detector=${detector.value} frames=${frames} onDone=${detector.reload} />
        </section>
        <section id="versions" class="card" aria-labelledby="versions-title"><h2 id="versions-title">Versions</h2>
          <${Versions} detector=${detector.value} />
        </section>
        <section id="attributes" class="card" aria-labelledby="attributes-title"><h2 id="attributes-title">Attributes</h2>
          <${AttributeCard} detector=${detector.value} />
        </section>
        <section id="shrink" class="card" aria-labelledby="shrink-title"><h2 id="shrink-title">Shrink and send</h2>
          <${Shrink} detector=${detector.value} onDone=${detector.reload} />
        </section>
      </div>
    </div>
  </div>`;
}

mount(Page);
