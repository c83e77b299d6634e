// The parts of a search, as the API reads them out of its text: changed by chips. Pure functions.

export const RELATIONS = [["", "alone"], ["with", "with, at the same time,"], ["near", "near"], ["then", "and then"]];
export const WITHIN_S = [5, 10, 30, 60, 300, 1800, 3600];
export const WITHIN_PERCENT = [10, 25, 50, 100];
export const SINCE_S = [3600, 86400, 7 * 86400, 30 * 86400];
export const SCORES = [0.5, 0.6, 0.7, 0.8, 0.9];

const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

export const EMPTY_THING = { label: "", camera: null, zone: null, attributes: [], above_score: null };

/** "5 s", "30 min", "7 d". */
export function lengthWords(seconds) {
  const [unit, length] = UNITS.find(([, one]) => seconds % one === 0) ?? ["s", 1];
  return `${seconds / length} ${unit}`;
}

/** The options with the value that is set among them, in order. */
export const withOwn = (options, value) => (value == null || options.includes(value) ? options : [...options, value].sort((a, b) => a - b));

/** Change one thing ("first" or "second") of a search. */
export const changeThing = (query, which, fields) => ({ ...query, [which]: { ...query[which], ...fields } });

/** Choose how two things belong together; what no longer makes sense is dropped. */
export function changeRelation(query, relation, label) {
  if (!relation) return { ...query, relation: null, second: null, within_s: null, within_percent: null };
  return {
    ...query,
    relation,
    second: query.second ?? { ...EMPTY_THING, label },
    within_s: relation === "with" ? null : query.within_s,
    within_percent: relation === "near" ? query.within_percent : null,
  };
}

/** Set the value of an attribute, or take it away with "". */
export function changeAttribute(query, which, slug, value) {
  const others = query[which].attributes.filter(([name]) => name !== slug);
  return changeThing(query, which, { attributes: value ? [...others, [slug, value]] : others });
}

export const clock = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** Minutes after midnight of "22:00"; null when it is no time. */
export function minutesOf(text) {
  const match = /^(\d\d):(\d\d)$/.exec(text);
  return match ? Number(match[1]) * 60 + Number(match[2]) : null;
}

/** The part of a day between two clock times; null unless both are given and differ. */
export function dayOf(from, until) {
  const [begin, end] = [minutesOf(from), minutesOf(until)];
  return begin == null || end == null || begin === end ? null : { begin_min: begin, end_min: end };
}

/** Where things were in sight during a moment, as shares of a strip: {at, bars: [{label, from, to}]}. */
export function stripOf(moment) {
  const begin = Math.min(moment.start, ...moment.events.map((one) => one.start));
  const end = Math.max(moment.end, ...moment.events.map((one) => one.end), begin + 1);
  const share = (seconds) => (seconds - begin) / (end - begin);
  return { at: share(moment.at), bars: moment.events.map((one) => ({ label: one.label, from: share(one.start), to: share(one.end) })) };
}

/** The player at the picture in which a scan first saw something. */
export const playerLink = (detector, { media, frame }) => `/detectors/${detector}/watch?${new URLSearchParams({ video: media, frame })}`;

/** A text cut at a mistake: {before, wrong, after}; `place` counts from 1. */
export function cutAt(text, place) {
  const at = Math.min(Math.max(0, place - 1), text.length);
  const wrong = /^\S*/.exec(text.slice(at))[0];
  return { before: text.slice(0, at), wrong: wrong || "\u00a0\u00a0", after: text.slice(at + wrong.length) };
}
