// Figures of what was seen, from counts as the API gives them: for plots, tables and links. Pure functions.
import { lengthWords } from "./searchparts.js";

export const PERIODS = [["86400", "last 24 hours"], ["604800", "last 7 days"], ["2592000", "last 30 days"], ["", "ever"]];
export const DEFAULT_PERIOD = "604800";

/** By what time to count: hours for a few days, else days. */
export const stepOf = (period) => (period && Number(period) <= 3 * 86400 ? "hour" : "day");

/** The moment, in seconds since 1970, at which an hour or a day of the API begins, as this browser's clock has it. */
export const beginOf = (key) => new Date(key.length === 10 ? `${key}T00:00` : key.replace(/([+-]\d\d)(\d\d)$/, "$1:$2")).getTime() / 1000;

const next = (seconds, step) => {
  if (step === "hour") return seconds + 3600;
  const day = new Date(seconds * 1000);
  day.setDate(day.getDate() + 1);
  return day.getTime() / 1000;
};

/** When the hour or day begins in which a moment lies, both in seconds. */
const floorOf = (seconds, step) => {
  const at = new Date(seconds * 1000);
  at.setMinutes(0, 0, 0);
  if (step === "day") at.setHours(0);
  return at.getTime() / 1000;
};

/**
 * Counts by time and label as rows of numbers without holes: {times, series: [{label, events}], end}, most frequent first.
 * @param counts [{key: {hour|day, label}, events}]
 * @param asked [from, until] in seconds: what was asked for is shown, also where nothing was; none: from the first to the last.
 */
export function timeline(counts, step, asked = []) {
  const begins = counts.map((one) => beginOf(one.key[step]));
  const bounds = [...begins, ...asked.map((at) => floorOf(at, step))];
  const times = [];
  let end = 0;
  if (begins.length) for (let at = Math.min(...bounds); at <= Math.max(...bounds); at = end) {
    times.push(at);
    end = next(at, step);
  }
  const place = new Map(times.map((at, i) => [at, i]));
  const rows = new Map();
  counts.forEach((one, i) => {
    const { label } = one.key;
    if (!rows.has(label)) rows.set(label, times.map(() => 0));
    const at = place.get(begins[i]);
    if (at !== undefined) rows.get(label)[at] += one.events;
  });
  const sum = (events) => events.reduce((all, one) => all + one, 0);
  const series = [...rows].map(([label, events]) => ({ label, events })).sort((a, b) => sum(b.events) - sum(a.events) || (a.label < b.label ? -1 : 1));
  return { times, series, end };
}

/** Series on top of each other, the highest sum first, as bars are drawn one before the other. */
export function stacked(series) {
  const sums = [];
  series.forEach(({ events }, i) => sums.push(events.map((one, at) => one + (i ? sums[i - 1][at] : 0))));
  return sums.reverse();
}

/** A table of counts: {rows, columns, cell(row, column), most}. */
export function table(counts, rowName, columnName) {
  const cells = new Map();
  const rowOf = (one) => rowName(one.key);
  counts.forEach((one) => {
    const key = JSON.stringify([rowOf(one), one.key[columnName]]);
    cells.set(key, (cells.get(key) ?? 0) + one.events);
  });
  const rows = [...new Set(counts.map(rowOf))].sort();
  const columns = [...new Set(counts.map((one) => one.key[columnName]))].sort();
  return { rows, columns, cell: (row, column) => cells.get(JSON.stringify([row, column])) ?? 0, most: Math.max(1, ...cells.values()) };
}

/** "5 s to 10 s": where the middle one of all stays lies. */
export const halfWords = ({ half_over: over, half_up_to: upTo }) =>
  upTo == null ? `over ${lengthWords(over)}` : over ? `${lengthWords(over)} to ${lengthWords(upTo)}` : `up to ${lengthWords(upTo)}`;

/** "1 min 5 s" of seconds. */
export function stayWords(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const named = (label) => (/^[^\s"=>]+$/.test(label) ? label : `"${label}"`);

/** The search that finds two labels together. */
export const searchOf = ([a, b], period) => `${named(a)} with ${named(b)}${period ? ` since ${Number(period) / 86400}d` : ""}`;

/** The time that a figure is about, [from, until] in seconds; nothing when it is about all there ever was. */
export const timeOf = (period, now) => (period ? [now - Number(period), now] : []);

/** The query of a figure; `period` is counted back from `now`, both in seconds. */
export function filterQuery({ period, camera, device, label }, now, more = []) {
  const [from] = timeOf(period, now);
  const given = { since: from === undefined ? "" : Math.floor(from), camera, device, label };
  return new URLSearchParams([...Object.entries(given).filter(([, value]) => value !== "" && value != null), ...more]);
}
