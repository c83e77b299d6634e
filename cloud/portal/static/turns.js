// Lets a few at a time pass; the others wait in line. Knows nothing of what is done meanwhile.

export class Turns {
  constructor(room) {
    this.room = room;
    this.line = [];
  }

  /** Resolves to a function that must be called once, when the turn is over. */
  async take() {
    if (this.room === 0) await new Promise((resolve) => this.line.push(resolve));
    else this.room -= 1;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const next = this.line.shift();
      if (next) next();
      else this.room += 1;
    };
  }
}
