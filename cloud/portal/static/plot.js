// Bars over time, drawn by uPlot; colours are those of the theme.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { stacked } from "./figures.js";
import { fileBeside, html } from "./ui.js";

const HIGH_PX = 240;
const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
// How far apart the marks below may be: never closer than the bars.
const MARKS_S = { hour: [1, 2, 3, 6, 12, 24, 48].map((n) => n * HOUR_S), day: [1, 2, 7, 14, 30, 91, 182, 365, 730].map((n) => n * DAY_S) };
const COLOURS = 9;

/** The colour of the n-th label: the same as of classes. */
export const colourOf = (n) => `var(--class-${(n % COLOURS) + 1})`;

function useStyleSheet(href) {
  useEffect(() => {
    if (document.querySelector(`link[href="${href}"]`)) return;
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
  }, [href]);
}

function useTheme() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const watch = new MutationObserver(() => setCount((before) => before + 1));
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => watch.disconnect();
  }, []);
  return count;
}

/** What stands below the bars, as people write it where the browser is at home. */
function timeAxis(daily) {
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const words = (at) => (daily || at.getHours() + at.getMinutes() === 0 ? day : hour).format(at);
  return { incrs: MARKS_S[daily ? "day" : "hour"], values: (_, marks) => marks.map((at) => words(new Date(at * 1000))), space: 64 };
}

/** @param times when each bar begins; @param end when the last one ends; @param series [{label, events}], as `timeline` gives them */
export function TimeBars({ times, end, series, words }) {
  const box = useRef(null);
  const theme = useTheme();
  useStyleSheet(fileBeside("vendor/uplot.css"));
  useEffect(() => {
    const style = getComputedStyle(box.current);
    const colour = (name) => {
      // A canvas knows no light-dark(): the browser works out the colour of an element.
      box.current.style.color = name;
      const value = getComputedStyle(box.current).color;
      box.current.style.color = "";
      return value;
    };
    const [muted, line] = [colour("var(--muted)"), colour("var(--line)")];
    const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: `12px ${style.fontFamily}` };
    const bars = uPlot.paths.bars({ size: [0.8, 40], align: 1 });
    const drawn = series.map((one, i) => ({ label: one.label, fill: colour(colourOf(i)), stroke: colour(colourOf(i)), width: 0, paths: bars, points: { show: false } })).reverse();
    const options = {
      width: box.current.clientWidth, height: HIGH_PX, legend: { show: false }, cursor: { show: false },
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.05)] }, x: { range: () => [times[0], end] } },
      axes: [{ ...axis, ...timeAxis(end - times[0] > HOUR_S * times.length) }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000] }],
      series: [{}, ...drawn],
    };
    const plot = new uPlot(options, [times, ...stacked(series)], box.current);
    const watch = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height: HIGH_PX }));
    watch.observe(box.current);
    return () => { watch.disconnect(); plot.destroy(); };
  }, [times, end, series, theme]);
  return html`<div ref=${box} class="plot" role="img" aria-label=${words}></div>`;
}
