// Candidates that came one by one, as lines of the remote description.

interface Added {
  text: string;
  mid: string | null;
  line: number | null;
  ufrag: string | null;
}

/** Completes remote descriptions with the candidates that were added to them. */
export class RemoteCandidates {
  #added: Added[] = [];

  add(candidate: Added): void {
    this.#added.push(candidate);
  }

  clear(): void {
    this.#added = [];
  }

  /** The description with the lines of the candidates at the end of their sections. */
  complete(description: string): string {
    if (this.#added.length === 0) return description;
    const [head, ...sections] = description.split(/^(?=m=)/m);
    const completed = sections.map((section, index) => {
      const mid = /^a=mid:(\S+)/m.exec(section)?.[1] ?? null;
      const ufrag = /^a=ice-ufrag:(\S+)/m.exec(section)?.[1] ?? null;
      const lines = this.#added
        .filter((a) => (a.mid === null ? a.line === null || a.line === index : a.mid === mid))
        .filter((a) => a.ufrag === null || ufrag === null || a.ufrag === ufrag)
        .map((a) => (a.text === "" ? "a=end-of-candidates" : `a=${a.text.replace(/^a=/, "")}`))
        // One that came with its ufrag may stand there without.
        .filter((line, i, all) => all.indexOf(line) === i && !section.includes(line.replace(/ ufrag \S+$/, "")));
      return section + lines.map((line) => `${line}\r\n`).join("");
    });
    return [head, ...completed].join("");
  }
}
