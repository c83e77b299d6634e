// Plays a video so that it is always known which frame is shown: what is drawn over it follows the browser's own word,
// never the clock (which is wrong for a third of the frames).
import { clampFrame, frameAt, middleOf } from "./frames.js";

// After so long a seek that brought no picture is made anew: browsers lose one now and then, above all the first.
const LATE_MS = 700;

export class FramePlayer {
  /** @param onFrame told each frame that is shown, before it is painted @param onPlaying told whether it plays */
  constructor(video, { fps, count, onFrame, onPlaying }) {
    Object.assign(this, { video, fps, count, onFrame, onPlaying });
    this.shown = 0;
    this.wanted = null; // where the last seek shall end; null: nowhere
    this.target = null; // where the seek under way ends
    this.isExact = "requestVideoFrameCallback" in video;
    this.listeners = { seeked: () => this.#arrived(), play: () => this.onPlaying(true), pause: () => this.onPlaying(false) };
    Object.entries(this.listeners).forEach(([name, listener]) => video.addEventListener(name, listener));
    this.#wait();
  }

  stop() {
    clearTimeout(this.late);
    Object.entries(this.listeners).forEach(([name, listener]) => this.video.removeEventListener(name, listener));
    if (this.isExact) this.video.cancelVideoFrameCallback(this.handle);
    else cancelAnimationFrame(this.handle);
  }

  get here() { return this.wanted ?? this.shown; }

  toggle() { if (this.video.paused) this.play(); else this.video.pause(); }

  play() {
    this.wanted = null;
    // A play that is ended at once by a pause is no mistake.
    this.video.play().catch(() => {});
  }

  /** Show a frame; of many wishes in a row the last one counts. */
  seek(frame) {
    this.video.pause();
    this.wanted = clampFrame(frame, this.count);
    if (this.target === null) this.#go();
  }

  step(by) { this.seek(this.here + by); }

  #go() {
    if (this.wanted === null || this.wanted === this.shown) { this.wanted = this.target = null; return; }
    this.target = this.wanted;
    this.video.currentTime = middleOf(this.target, this.fps);
    this.#expect();
  }

  #expect() {
    clearTimeout(this.late);
    this.late = setTimeout(() => {
      if (this.wanted === null || this.video.error) return;
      if (this.video.seeking) this.#expect(); // the network is slow
      else this.#go();
    }, LATE_MS);
  }

  #arrived() {
    const target = this.target;
    this.target = null;
    if (this.wanted !== null && this.wanted !== target) this.#go();
  }

  #wait() {
    if (this.isExact) this.handle = this.video.requestVideoFrameCallback((_now, { mediaTime }) => this.#took(frameAt(mediaTime, this.fps, this.count)));
    else this.handle = requestAnimationFrame(() => this.#took(clampFrame(Math.floor(this.video.currentTime * this.fps), this.count)));
  }

  #took(frame) {
    this.shown = frame;
    if (frame === this.wanted) this.wanted = null;
    this.onFrame(frame);
    this.#wait();
  }
}
