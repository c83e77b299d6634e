// What the page of attributes says, and what it asks the server to change. Pure functions.
import { plural } from "./words.js";

const FEW_ANSWERED = 0.25;
const GOOD_RIGHT = 0.9;

const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

/** How many examples a value has, and how many it needs. */
export function countWords(count, { least, good }) {
  if (count < least) return `${count} of at least ${least}, better ${good}`;
  return count < good ? `${plural(count, "example")}, better ${good}` : plural(count, "example");
}

/** What is missing before it can be learned; "" when nothing is. */
export function missingWords(values, { least }) {
  const few = values.filter((one) => one.examples < least);
  if (!few.length) return "";
  return `Put ${listed(few.map((one) => `${least - one.examples} more under ${one.name}`))}; then it can be learned.`;
}

/** How the examples were told when each was left out: {told, right, open}. */
export function answersOf({ confusion, examples }) {
  const told = confusion.flatMap((row) => row.slice(0, -1)).reduce((sum, count) => sum + count, 0);
  const right = confusion.reduce((sum, row, i) => sum + row[i], 0);
  return { told, right, open: examples - told };
}

/** What came out, in one sentence. */
export function qualityWords(quality) {
  const { told, right, open } = answersOf(quality);
  const start = `Each of the ${plural(quality.examples, "example")} was left out in turn and asked about`;
  if (!told) return `${start}: none was answered.`;
  const rest = open ? `; ${open} ${open === 1 ? "was" : "were"} left open` : "";
  return `${start}: ${told} ${told === 1 ? "was" : "were"} answered, ${right === told ? "all" : right} of these rightly${rest}.`;
}

/** What that means, and what helps: {tone, sign, words}. */
export function adviceOf(quality, { good }) {
  const { told, right } = answersOf(quality);
  const fewest = Math.min(...quality.confusion.map((row) => row.reduce((sum, count) => sum + count, 0)));
  if (told < FEW_ANSWERED * quality.examples) return { tone: "warn", sign: "○", words: "It mostly says nothing. Show more examples, or values that look more different." };
  if (right < GOOD_RIGHT * told) return { tone: "warn", sign: "!", words: "It errs too often. Look for crops under the wrong value, and show more." };
  if (fewest < good) return { tone: "warn", sign: "○", words: `From so few examples these figures say little; show at least ${good} of each value.` };
  return { tone: "good", sign: "✓", words: "It can be relied on for things like those shown." };
}

/** One line about an attribute for the page of its detector. */
export function standing({ quality, is_current: isCurrent, ready, values }) {
  if (quality && isCurrent) return { tone: "good", sign: "✓", words: "learned" };
  if (quality) return { tone: "warn", sign: "○", words: "changed since it was learned" };
  if (ready) return { tone: "warn", sign: "○", words: "ready to be learned" };
  return { tone: "warn", sign: "✎", words: `${plural(values.reduce((sum, one) => sum + one.examples, 0), "example")}, needs more` };
}

/**
 * What to ask the server to change, null when nothing is.
 * @param before the attribute
 * @param rows   the values as edited: {was, name}; `was` is null for a new one
 */
export function changeOf(before, name, rows) {
  const rename = Object.fromEntries(rows.filter((row) => row.was !== null && row.was !== row.name.trim()).map((row) => [row.was, row.name.trim()]));
  const values = rows.map((row) => row.name.trim());
  const kept = rows.filter((row) => row.was !== null).map((row) => row.was);
  const areSame = rows.length === kept.length && kept.length === before.values.length;
  const change = {
    ...(name.trim() !== before.name && { name: name.trim() }),
    ...(Object.keys(rename).length && { rename }),
    ...(!areSame && { values }),
  };
  return Object.keys(change).length ? change : null;
}

/** How many examples go with the values that were left out. */
export const lostExamples = (before, rows) => before.values.filter((one) => !rows.some((row) => row.was === one.name)).reduce((sum, one) => sum + one.examples, 0);

/** The place to go on at after a list lost its item at `at`: the same, or the last one. */
export const nextAt = (at, left) => Math.max(0, Math.min(at, left - 1));
