// The video with the boxes of the frame that it shows, and its buttons.
import { useEffect, useRef } from "preact/hooks";
import { BoxEditor } from "./boxeditor.js";
import { clockAt } from "./frames.js";
import { FramePlayer } from "./frameplayer.js";
import { html } from "./ui.js";

/** A player of the video; it stays the same while the video does. */
export function usePlayer(media, first, here, playing) {
  const video = useRef(null);
  const player = useRef(null);
  useEffect(() => {
    const made = new FramePlayer(video.current, {
      fps: media.fps, count: media.frame_count,
      onFrame: (frame) => { here.value = frame; },
      onPlaying: (isPlaying) => { playing.value = isPlaying; },
    });
    player.current = made;
    if (first > 0) made.seek(first);
    return () => made.stop();
  }, [media.id]);
  return { video, player };
}

/**
 * The picture with its boxes. It alone is drawn anew for each frame.
 * @param boxesOf   the boxes to show at a frame: {boxes, others, held}
 * @param here      signal of the frame that is shown @param playing signal of whether it plays
 */
export function Stage({ media, video, here, playing, boxesOf, labels, drawing, label, chosen, onChoose, onChange, onNextBox }) {
  const frame = here.value;
  const { boxes, others } = boxesOf(frame);
  const tab = (e) => {
    if (e.key !== "Tab" || e.ctrlKey || e.altKey || e.metaKey) return;
    if (onNextBox(e.shiftKey ? -1 : 1)) e.preventDefault();
  };
  const picture = html`<video ref=${video} src=${`/api/v1/media/${media.id}/playback`} muted playsInline preload="auto" aria-hidden="true"></video>`;
  return html`<div class=${drawing ? "watchstage drawing" : "watchstage"} data-frame=${frame} tabindex="0" role="group" aria-label=${`${media.name} at ${clockAt(frame, media.fps)}; Tab chooses a box`} onKeyDown=${tab}>
    <${BoxEditor} picture=${picture} size=${[media.width_px, media.height_px]} boxes=${boxes} proposals=${others} labels=${labels}
      label=${drawing ? label : null} chosen=${playing.value || chosen >= boxes.length ? -1 : chosen} onChoose=${onChoose} onChange=${onChange} readOnly=${playing.value} />
  </div>`;
}

function Button({ words, keys, shown, run, name, ...more }) {
  return html`<button type="button" onClick=${() => run()} aria-label=${name} aria-keyshortcuts=${keys} ...${more}>${words} ${shown && html`<kbd>${shown}</kbd>`}</button>`;
}

/** A visible button for every key. */
export function PlayerButtons({ act, playing, drawing, boxesShown, chosen, canUndo, canRedo, canRepeat, labels }) {
  const no = chosen === null;
  return html`<div class="stack tight">
    <div class="row">
      <${Button} words=${playing.value ? "❚❚ Pause" : "▶ Play"} keys="Space" shown="Space" run=${act.toggle} class="primary" />
      <${Button} words=${html`−10<span class="sr"> frames</span>`} keys="Shift+ArrowLeft" run=${() => act.step(-10)} />
      <${Button} words="◀" name="One frame back" keys="ArrowLeft" shown="←" run=${() => act.step(-1)} />
      <${Button} words="▶" name="One frame on" keys="ArrowRight" shown="→" run=${() => act.step(1)} />
      <${Button} words=${html`+10<span class="sr"> frames</span>`} keys="Shift+ArrowRight" run=${() => act.step(10)} />
      <${Button} words="−5 s" keys="J" shown="J" run=${() => act.seconds(-5)} />
      <${Button} words="+5 s" keys="L" shown="L" run=${() => act.seconds(5)} />
      <${Button} words="Event before" keys="P" shown="P" run=${act.previousEvent} />
      <${Button} words="Next event" keys="N" shown="N" run=${act.nextEvent} />
      <${Button} words="Next unsure" keys="U" shown="U" run=${act.nextDoubt} />
    </div>
    <div class="row">
      <${Button} words="✓ Right" keys="R" shown="R" run=${act.right} />
      <${Button} words="✕ Wrong" keys="W" shown="W" run=${act.wrong} />
      <${Button} words="+ Missed: draw it" keys="D" shown="D" run=${act.draw} aria-pressed=${drawing} />
      ${labels.slice(0, 9).map((label, i) => html`<${Button} key=${label} words=${html`<span class="clip">${label}</span>`} keys=${String(i + 1)} shown=${i + 1} run=${() => act.takeClass(i)} class="chip" style=${`--class:var(--class-${(i % 9) + 1})`} />`)}
    </div>
    <div class="row">
      <${Button} words="Next box" keys="Tab" shown="Tab" run=${act.nextBox} />
      <${Button} words="Delete box" keys="Delete" shown="Del" run=${act.remove} disabled=${no} />
      ${[["←", "Left"], ["→", "Right"], ["↑", "Up"], ["↓", "Down"]].map(([sign, way]) => html`<${Button} key=${way} words=${sign} name=${`Move the chosen box ${way.toLowerCase()}`} keys=${`Alt+Arrow${way}`} run=${() => act.move(`Arrow${way}`)} disabled=${no} class="small" />`)}
      <${Button} words="Wider" keys="Alt+Shift+ArrowRight" run=${() => act.resize("ArrowRight")} disabled=${no} />
      <${Button} words="Narrower" keys="Alt+Shift+ArrowLeft" run=${() => act.resize("ArrowLeft")} disabled=${no} />
      <${Button} words="Taller" keys="Alt+Shift+ArrowDown" run=${() => act.resize("ArrowDown")} disabled=${no} />
      <${Button} words="Shorter" keys="Alt+Shift+ArrowUp" run=${() => act.resize("ArrowUp")} disabled=${no} />
    </div>
    <div class="row">
      <${Button} words="Undo" keys="Control+Z" shown="Ctrl+Z" run=${act.undo} disabled=${!canUndo} />
      <${Button} words="Redo" keys="Control+Shift+Z" run=${act.redo} disabled=${!canRedo} />
      <${Button} words="Repeat boxes" keys="G" shown="G" run=${act.repeat} disabled=${!canRepeat} />
      <${Button} words=${boxesShown ? "Hide boxes" : "Show boxes"} keys="B" shown="B" run=${act.toggleBoxes} />
      ${drawing && html`<${Button} words="Put a box in the middle" run=${act.middleBox} />`}
      ${drawing && html`<${Button} words="Stop drawing" keys="Escape" shown="Esc" run=${act.escape} />`}
      <${Button} words="Keys" keys="?" shown="?" run=${act.help} class="quiet" />
    </div>
  </div>`;
}
