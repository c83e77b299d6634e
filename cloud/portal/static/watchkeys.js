// The keys of the player as a table: what each does, in words; the page says how.

const withArrows = (before) => ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((arrow) => `${before}+${arrow}`);

/** @param act the actions of the player by name */
export function playerKeys(act) {
  return [
    { keys: [" "], words: "Play or pause", run: act.toggle },
    { keys: ["ArrowLeft", "ArrowRight"], words: "One frame back or on", run: (key) => act.step(key === "ArrowLeft" ? -1 : 1) },
    { keys: ["Shift+ArrowLeft", "Shift+ArrowRight"], words: "Ten frames back or on", run: (key) => act.step(key.endsWith("Left") ? -10 : 10) },
    { keys: ["j", "l"], words: "Five seconds back or on", run: (key) => act.seconds(key === "j" ? -5 : 5) },
    { keys: ["n", "p"], words: "Next or previous event", run: (key) => (key === "n" ? act.nextEvent() : act.previousEvent()) },
    { keys: ["u"], words: "Next moment at which the version was unsure", run: act.nextDoubt },
    { keys: ["r"], words: "Right", run: act.right },
    { keys: ["w"], words: "Wrong: nothing of that is there", run: act.wrong },
    { keys: ["d"], words: "Draw something that was missed", run: act.draw },
    { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 … 9"], words: "It is another class; or the class of what is drawn next", run: (key) => act.takeClass(Number(key) - 1) },
    { keys: [], shown: ["Tab"], words: "Choose the next box (while the picture has the focus)", run: act.nextBox },
    { keys: withArrows("Alt"), shown: ["Alt+← ↑ ↓ →"], words: "Move the chosen box", run: act.move },
    { keys: withArrows("Alt+Shift"), shown: ["Alt+Shift+← ↑ ↓ →"], words: "Resize the chosen box", run: act.resize },
    { keys: ["Delete", "Backspace"], shown: ["Delete"], words: "Take back what was said of the chosen box; unsaid, it is wrong", run: act.remove },
    { keys: ["Ctrl+z"], words: "Undo", run: act.undo },
    { keys: ["Ctrl+Shift+z", "Ctrl+y"], shown: ["Ctrl+Shift+z"], words: "Redo", run: act.redo },
    { keys: ["b"], words: "Show or hide the boxes", run: act.toggleBoxes },
    { keys: ["g"], words: "Repeat the last drawn boxes here", run: act.repeat },
    { keys: ["?"], words: "This sheet", run: act.help },
    { keys: ["Escape"], words: "Stop drawing, choose no box", run: act.escape },
  ];
}
