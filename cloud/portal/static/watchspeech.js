// What a person says about the boxes of the frame that is shown, and what that changes in the basket. Knows no page.

/**
 * @param basket    what was said @param here signal of the frame that is shown
 * @param now       gives the boxes that are shown now, as `boxesAt` does @param chosenBox index of the chosen one, or -1
 * @param label     class of what is drawn next @param tell told what was said, in words
 */
export function speechOf({ basket, here, now, chosenBox, label, tell }) {
  const chosen = () => now()[chosenBox] ?? null;
  /** The box that a verdict is about: the chosen one, or the surest of which nothing was said. */
  const subject = () => chosen() ?? now().filter((one) => one.seen && !one.key).sort((a, b) => b.score - a.score)[0] ?? null;

  const say = (verdict, name = null) => {
    const one = subject();
    if (!one) { tell("no box to speak of"); return; }
    if (one.verdict === "missed") { sayOfDrawn(one, verdict); return; }
    const content = { verdict, label: name ?? one.seen?.label ?? one.label, box: verdict === "wrong" ? (one.seen?.box ?? one.box) : one.box };
    if (one.key) basket.change(one.key, content);
    else basket.say({ frame: here.peek(), ...content });
    tell(`${verdict === "other_class" ? "is" : verdict} ${content.label}`);
  };
  /** Of a box that was drawn by hand "wrong" only means that it shall go. */
  const sayOfDrawn = (one, verdict) => {
    if (verdict === "wrong") { basket.remove(one.key); tell("taken back"); }
  };
  const addMissed = (box, name = label) => {
    if (!name) return;
    basket.say({ frame: here.peek(), verdict: "missed", label: name, box });
    tell(`missed ${name}`);
  };
  /** A box of the version that is moved is right, where it is now. */
  const place = (one, box) => {
    if (one.key) basket.change(one.key, { box });
    else basket.say({ frame: here.peek(), verdict: "right", label: one.label, box });
  };
  const mend = (shape) => { const one = chosen(); if (one) place(one, shape(one.box)); };
  /** The editor changed the boxes: true when one was drawn, else the chosen one was moved or resized. */
  const changed = (next) => {
    const boxes = now();
    if (next.length > boxes.length) { addMissed(next.at(-1).box); return true; }
    const at = next.findIndex((one, i) => one.box !== boxes[i].box);
    if (at >= 0) place(boxes[at], next[at].box);
    return false;
  };
  const takeClass = (name, drawing) => {
    const one = chosen();
    if (one?.verdict === "missed") { basket.change(one.key, { label: name }); return; }
    const about = one ?? (drawing ? null : subject());
    if (about) say(name === about.seen?.label ? "right" : "other_class", name);
  };
  const remove = () => {
    const one = chosen();
    if (!one) return;
    if (!one.key) { say("wrong"); return; }
    basket.remove(one.key);
    tell("taken back");
  };
  /** What was drawn last on another frame. */
  const lastDrawn = () => {
    const drawn = basket.items.peek().filter((item) => item.verdict === "missed" && item.frame !== here.peek());
    return drawn.filter((item) => item.frame === drawn.at(-1).frame);
  };
  const repeat = () => lastDrawn().forEach((item) => addMissed(item.box, item.label));
  return { chosen, say, addMissed, mend, changed, takeClass, remove, lastDrawn, repeat };
}
