// Live wall: what the cameras see now, boxes in step with pictures. Only what is on the screen is asked for; nothing is stored.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { classColour } from "./boxeditor.js";
import { connection } from "./states.js";
import { Copy, Empty, Failure, Loading, State, api, html, liveNews, mount, useLoad } from "./ui.js";
import { openWall, tileKey, tilesOf, viewWords, waitingWords } from "./wallfeed.js";
import { plural } from "./words.js";
import { useZones, ZoneLayer, ZonePanel } from "./zones.js";

const TICK_MS = 1000;
const LABEL_PX = 14;

/** Draw a picture and its boxes in one go, so that they can never be out of step. */
async function paint(canvas, picture, labels) {
  const bitmap = await createImageBitmap(picture.jpeg);
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  const style = getComputedStyle(canvas);
  pen.lineWidth = Math.max(2, canvas.width / 240);
  pen.font = `600 ${Math.max(LABEL_PX, canvas.width / 32)}px system-ui, sans-serif`;
  pen.textBaseline = "bottom";
  picture.detections.forEach(({ label, score, box: [x1, y1, x2, y2] }) => {
    if (!labels.includes(label)) labels.push(label);
    const colour = style.getPropertyValue(classColour(labels, label).slice(4, -1));
    const [left, top] = [x1 * canvas.width, y1 * canvas.height];
    pen.strokeStyle = colour;
    pen.strokeRect(left, top, (x2 - x1) * canvas.width, (y2 - y1) * canvas.height);
    const words = `${label} ${Math.round(score * 100)} %`;
    const height = Math.max(LABEL_PX, canvas.width / 32) + 4;
    const base = Math.max(height, top);
    pen.fillStyle = colour;
    pen.fillRect(left, base - height, pen.measureText(words).width + 8, height);
    pen.fillStyle = "#fff";
    pen.fillText(words, left + 4, base - 1);
  });
}

/** Zones of a large tile, once its settings are known. */
function Zoned({ tile, settings, children }) {
  const editor = useZones(tile.device, tile.camera, settings);
  return html`<div class="screen">${children}<${ZoneLayer} editor=${editor} /></div><${ZonePanel} editor=${editor} />`;
}

function Tile({ tile, last, now, large, onCanvas, onVisible }) {
  const canvas = useRef(null);
  useEffect(() => {
    const key = tileKey(tile);
    onCanvas(key, canvas.current);
    const watcher = new IntersectionObserver(([entry]) => onVisible(key, entry.isIntersecting), { rootMargin: "80px" });
    watcher.observe(canvas.current);
    return () => { watcher.disconnect(); onVisible(key, false); onCanvas(key, null); };
  }, [tileKey(tile)]);
  const seconds = (now - (last?.drawn ?? last?.since ?? now)) / 1000;
  const waiting = waitingWords({ online: tile.online, seconds, hasPicture: Boolean(last?.picture) });
  const here = connection(tile);
  const path = `/wall?device=${encodeURIComponent(tile.device)}&camera=${encodeURIComponent(tile.camera)}`;
  const embed = `${location.origin}/api/v1/devices/${tile.device}/cameras/${tile.camera}/live.mjpeg`;
  const screen = html`
    <canvas ref=${canvas} width="480" height="270" role="img" aria-label=${`Live picture of ${tile.camera} on ${tile.device}: ${last?.picture ? viewWords(last.picture.detections) : "none yet"}`}></canvas>
    ${waiting && html`<p class="waiting" role="status">${waiting}</p>`}`;
  return html`<li class=${large ? "card tile large" : "card tile"}>
    ${large ? html`<${Zoned} tile=${tile} settings=${tile.settings}>${screen}<//>` : html`<div class="screen">${screen}</div>`}
    <div class="row apart">
      <h2 class="small clip"><a href=${large ? "/wall" : path}>${tile.camera} <span class="muted">on ${tile.device}</span></a></h2>
      <${State} ...${here}>${here.words}<//>
    </div>
    <p class="muted clip">${last?.picture ? viewWords(last.picture.detections) : "–"}${last?.fps ? ` · ${last.fps.toFixed(1)} pictures/s` : ""}${last?.picture?.blurred ? " · blurred" : ""}</p>
    ${large && html`<div class="row">
      <a class="button" href=${`/events?device=${encodeURIComponent(tile.device)}&camera=${encodeURIComponent(tile.camera)}`}>What it saw</a>
      <${Copy} text=${embed} words="Copy the address for other pages (MJPEG)" />
    </div>`}
  </li>`;
}

/** Keeps the socket, the canvases and what was drawn last. */
function useWall() {
  const canvases = useRef(new Map());
  const visible = useRef(new Set());
  const last = useRef(new Map());
  const labels = useRef([]);
  const feed = useRef(null);
  const [connected, setConnected] = useState(true);
  const tell = () => feed.current?.watch([...visible.current].map((key) => { const [device, camera] = key.split("/"); return { device, camera }; }));
  useEffect(() => {
    const draw = async (picture) => {
      const key = tileKey(picture);
      const canvas = canvases.current.get(key);
      if (!canvas) return;
      await paint(canvas, picture, labels.current);
      const before = last.current.get(key) ?? {};
      const drawn = performance.now();
      const fps = before.drawn ? 0.8 * (before.fps || 0) + 0.2 * (1000 / Math.max(1, drawn - before.drawn)) : 0;
      last.current.set(key, { ...before, picture: { ...picture, jpeg: null }, drawn, fps });
      canvas.dataset.pictures = Number(canvas.dataset.pictures ?? 0) + 1;
    };
    feed.current = openWall({ draw, onConnected: setConnected });
    tell();
    const hide = () => (document.hidden ? feed.current.watch([]) : tell());
    document.addEventListener("visibilitychange", hide);
    return () => { document.removeEventListener("visibilitychange", hide); feed.current.close(); };
  }, []);
  const onCanvas = useCallback((key, canvas) => {
    if (canvas) {
      canvases.current.set(key, canvas);
      last.current.set(key, { since: performance.now() });
    } else canvases.current.delete(key);
  }, []);
  const onVisible = useCallback((key, is) => {
    if (is) visible.current.add(key); else visible.current.delete(key);
    tell();
  }, []);
  return { last: last.current, connected, onCanvas, onVisible };
}

function Page({ device, camera }) {
  const devices = useLoad(() => api("/devices"));
  const wall = useWall();
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), TICK_MS);
    liveNews((news) => news.type === "device" && devices.reload());
    return () => clearInterval(timer);
  }, []);
  if (devices.error) return html`<${Failure} error=${devices.error} retry=${devices.reload} />`;
  if (!devices.value) return html`<${Loading} />`;
  const all = tilesOf(devices.value.devices ?? devices.value);
  const tiles = device ? all.filter((one) => one.device === device && one.camera === camera) : all;
  if (!tiles.length) {
    return device
      ? html`<${Empty} title="There is no such camera"><p>${camera} on ${device} is not here, or was removed. <a href="/wall">All cameras</a></p><//>`
      : html`<${Empty} title="No camera yet"><p>Once a camera has joined and told what it has, its picture shows here. <a href="/devices">Add a camera</a></p><//>`;
  }
  return html`<div class="stack">
    <p class="muted">${device ? html`<a href="/wall">All ${plural(all.length, "camera")}</a> · ` : ""}Cameras send pictures only while they are on a screen here. They are blurred unless a camera's owner chose clear ones, and never stored.</p>
    ${!wall.connected && html`<p class="note warn" role="status">The connection is lost; trying again …</p>`}
    <ul class=${device ? "wall one" : "wall"}>${tiles.map((tile) => html`<${Tile} key=${tileKey(tile)} tile=${tile} last=${wall.last.get(tileKey(tile))} now=${now} large=${Boolean(device)} onCanvas=${wall.onCanvas} onVisible=${wall.onVisible} />`)}</ul>
  </div>`;
}

mount(({ device, camera }) => html`<${Page} device=${device} camera=${camera} />`);
