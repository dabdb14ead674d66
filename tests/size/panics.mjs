// Which calls of `core::panicking` are in an image, which of them can be
// reached from what arrives from the network, and why they do not happen.
// `run.mjs` fails when one has no reason, and writes docs/panics.md; by itself:
//
//   node panics.mjs [ELF]
//
// Reads the program that `run.mjs` builds for the RP2040: the linker's map says
// where each function and constant lies, the disassembly who calls whom, and
// the line tables where in the source a call was. Whatever has a function's
// address, in a constant pool, in a table of methods or elsewhere, counts as
// calling it, so that what is not reached here cannot be reached.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { REASONS } from "./panic-reasons.mjs";

/** What a panic ends in; these call each other, and nothing asks why. */
const RUNTIME = /^<?(core|alloc|std|__rustc)\b.*(panicking|panic_|_fail\b|_failed\b|_fail_rt\b|capacity_overflow|alloc_error|handle_error)/;

/** The roots, in this order: what is reached from one is not told of the next. */
const ROOTS = [
  { what: "datagrams and timers", functions: /^peer::(run|turn|work)\b/, tables: true },
  { what: "offers and answers", functions: /^peer::negotiate\b/ },
  { what: "construction and the application", functions: /^(peer::|Reset$|main$)/ },
];

/** Names as the source has them. */
function demangled(name) {
  return name
    .replace(/::h[0-9a-f]{16}$/, "")
    .replaceAll("..", "::")
    .replace(/\$LT\$/g, "<")
    .replace(/\$GT\$/g, ">")
    .replace(/\$C\$/g, ",")
    .replace(/\$RF\$/g, "&")
    .replace(/\$u20\$/g, " ")
    .replace(/\$u5b\$/g, "[")
    .replace(/\$u5d\$/g, "]")
    .replace(/\$u7b\$/g, "{")
    .replace(/\$u7d\$/g, "}")
    .replace(/\$u3b\$/g, ";")
    .replace(/\$u27\$/g, "'")
    .replace(/\$LP\$/g, "(")
    .replace(/\$RP\$/g, ")")
    .replace(/\$BP\$/g, "*")
    .replace(/^_</, "<");
}

const tool = (command, args, input) => execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, input });

/** The pieces of an image, by address: functions and constants, with where in a function its constants lie. */
function pieces(map) {
  const found = [];
  for (const line of readFileSync(map, "utf8").split("\n")) {
    const match = /^ *([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+) +\d+ (\s*)(\S.*)$/.exec(line);
    if (!match) continue;
    const [at, size] = [Number.parseInt(match[1], 16), Number.parseInt(match[2], 16)];
    const name = match[4];
    if (match[3].length === 8) {
      const section = /:\((\.[^)]*)\)$/.exec(name)?.[1];
      if (section && size > 0) found.push({ at, end: at + size, section, marks: [] });
    } else if (match[3].length > 8 && /^\$[td]/.test(name)) {
      found.at(-1)?.marks.push({ at, data: name.startsWith("$d") });
    }
  }
  return found.sort((a, b) => a.at - b.at);
}

class Image {
  constructor(path) {
    this.path = path;
    this.elf = readFileSync(path);
    this.pieces = pieces(`${path}.map`).filter(({ at }) => at >= 0x1000_0000);
    for (const [, at, name] of tool("llvm-nm", ["--demangle", path]).matchAll(/^([0-9a-f]+) [tT] ([^$].*)$/gm)) {
      const piece = this.at(Number.parseInt(at, 16) & ~1);
      if (piece) piece.name ??= demangled(name);
    }
    for (const piece of this.pieces) {
      piece.to = new Set();
      piece.isCode = /^\.(text|Reset|HardFault)/.test(piece.section);
      piece.name ??= piece.section;
    }
    this.#segments();
    this.#calls();
    this.#references();
  }

  /** The piece that an address lies in. */
  at(address) {
    let [low, high] = [0, this.pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].at <= address) low = middle + 1;
      else high = middle;
    }
    const piece = this.pieces[low - 1];
    return piece && address < piece.end ? piece : undefined;
  }

  #segments() {
    const { elf } = this;
    const at = elf.readUInt32LE(28);
    this.loads = [];
    for (let i = 0; i < elf.readUInt16LE(44); i += 1) {
      const [type, offset, address, , size] = [0, 4, 8, 12, 16].map((o) => elf.readUInt32LE(at + i * elf.readUInt16LE(42) + o));
      if (type === 1) this.loads.push({ offset, address, size });
    }
  }

  word(address) {
    const load = this.loads.find((l) => address >= l.address && address + 4 <= l.address + l.size);
    return load ? this.elf.readUInt32LE(load.offset + address - load.address) : 0;
  }

  /** Branches out of a function. */
  #calls() {
    this.sites = [];
    for (const line of tool("llvm-objdump", ["-d", "--no-show-raw-insn", this.path]).split("\n")) {
      const match = /^ *([0-9a-f]+):\s+b\S*\s+(?:r\d+, )?0x([0-9a-f]+) </.exec(line);
      if (!match) continue;
      const address = Number.parseInt(match[1], 16);
      const [from, to] = [address, Number.parseInt(match[2], 16)].map((a) => this.at(a));
      if (!from || !to || from === to) continue;
      from.to.add(to);
      this.sites.push({ address, from, to });
    }
  }

  /** Addresses that lie in constants. */
  #references() {
    for (const piece of this.pieces) {
      const ranges = [];
      if (!piece.isCode) ranges.push([piece.at, piece.end]);
      piece.marks.forEach(({ at, data }, i) => data && ranges.push([at, piece.marks[i + 1]?.at ?? piece.end]));
      for (const [from, end] of ranges) {
        for (let at = (from + 3) & ~3; at + 4 <= end; at += 4) {
          const to = this.at(this.word(at));
          if (to && to !== piece) piece.to.add(to);
        }
      }
    }
  }

  /** What can be reached from `roots`, each with whence. */
  reached(roots, known = new Map()) {
    const waiting = [];
    for (const root of roots) {
      if (known.has(root)) continue;
      known.set(root, null);
      waiting.push(root);
    }
    const fresh = new Set(waiting);
    while (waiting.length > 0) {
      const piece = waiting.shift();
      for (const next of piece.to) {
        if (known.has(next)) continue;
        known.set(next, piece);
        fresh.add(next);
        waiting.push(next);
      }
    }
    return fresh;
  }

  /** Where in the source each address is: frames from the inside out. */
  source(addresses) {
    const input = addresses.map((a) => `0x${a.toString(16)}`).join("\n");
    const text = tool("llvm-symbolizer", ["--obj", this.path, "--inlines", "--demangle"], `${input}\n`);
    return text.trim().split("\n\n").map((block) => {
      const lines = block.split("\n");
      const frames = [];
      for (let i = 0; i + 1 < lines.length; i += 2) {
        const [, file, line] = /^(.*):(\d+):\d+$/.exec(lines[i + 1]) ?? [null, lines[i + 1], "0"];
        frames.push({ name: demangled(lines[i]), file, line: Number(line) });
      }
      return frames;
    });
  }
}

/** Whose code a frame is, and where: `crate/file.rs`. */
function place({ file }) {
  const registry = /\/registry\/src\/[^/]*\/([a-z0-9_-]+?)-\d[^/]*\/(?:src\/)?(.*)$/i.exec(file);
  if (registry) return `${registry[1]}/${registry[2]}`;
  const ours = /\/(core-nostd\/src|tests\/size\/src)\/(.*)$/.exec(file);
  if (ours) return `${ours[1] === "core-nostd/src" ? "picortc" : "the program measured"}/${ours[2]}`;
  const library = /(?:\/library\/|^)(core|alloc|std)\/src\/(.*)$/.exec(file);
  return library ? `${library[1]}/${library[2]}` : file;
}

const isLibrary = (where) => /^(core|alloc|std)\//.test(where);

/** What kind of panic a function of the runtime is. */
function kind(name) {
  if (/panic_bounds_check|slice_index_fail|str_index|slice_error_fail/.test(name)) return "an index out of range";
  if (/len_mismatch/.test(name)) return "two slices of different lengths";
  if (/async_fn_resumed/.test(name)) return "a future polled after its end";
  if (/already_borrowed/.test(name)) return "a cell borrowed twice";
  if (/handle_error|capacity_overflow|alloc_error/.test(name)) return "no memory";
  if (/expect_failed|unwrap_failed/.test(name)) return "`unwrap` or `expect`";
  if (/ord_violation/.test(name)) return "an order that is none";
  return "an assertion";
}

/** The panics of an image, by root and place. */
export function panics(path) {
  const image = new Image(path);
  const known = new Map();
  return ROOTS.map((root) => {
    const isTable = (piece) => root.tables && piece.section.startsWith(".rodata") && [...piece.to].some((to) => to.isCode);
    const roots = image.pieces.filter((p) => (p.isCode && root.functions.test(p.name)) || isTable(p));
    const fresh = image.reached(roots, known);
    const sites = image.sites.filter(({ from, to }) => fresh.has(from) && RUNTIME.test(to.name) && !RUNTIME.test(from.name));
    const frames = sites.length > 0 ? image.source(sites.map(({ address }) => address)) : [];
    const found = new Map();
    sites.forEach(({ from, to }, i) => {
      // What called the library, or who called the function that is the library's.
      let where = frames[i].map(place).find((name) => !isLibrary(name));
      const callers = [];
      for (let piece = known.get(from); piece; piece = known.get(piece)) callers.push(piece);
      const inside = place(frames[i].at(-1));
      const key = JSON.stringify([where ?? inside, kind(to.name)]);
      const entry = found.get(key) ?? { place: where ?? inside, kind: kind(to.name), sites: 0, functions: new Set(), through: new Set() };
      entry.sites += 1;
      entry.functions.add(from.name);
      const caller = callers.find(({ name }) => /picortc/.test(name));
      if (!where && caller) entry.through.add(caller.name);
      found.set(key, entry);
    });
    const entries = [...found.values()].map((entry) => ({ ...entry, reason: reason(entry) }));
    return { root, functions: fresh.size, entries: entries.sort((a, b) => (a.place < b.place ? -1 : 1)) };
  });
}

function reason(entry) {
  return REASONS.find(({ place, kind }) => place.test(entry.place) && (!kind || kind.test(entry.kind)))?.why;
}

/** docs/panics.md. */
export function document(found) {
  const part = ({ root, entries }) => {
    const rows = entries.map((e) => `| \`${e.place}\` | ${e.kind} | ${e.sites} | ${e.reason ?? "**not known**"} |`);
    const sum = entries.reduce((all, { sites }) => all + sites, 0);
    return `## From ${root.what}: ${sum}\n\n| where | what | calls | why it does not happen |\n| --- | --- | ---: | --- |\n${rows.join("\n")}\n`;
  };
  return `# Panics

Written by \`tests/suites/size.sh --write\`, which fails when there is a panic without a reason. It reads the program whose size is measured (\`tests/size/src/bin/peer.rs\`, two connections with the provider \`CHIP\`), built for the RP2040: every call of a function of \`core\` or \`alloc\` that panics is found in the disassembly, with its line in the source, and the linker's map tells which functions and constants hold the address of which. Whatever holds the address of a function counts as calling it, and every table of methods counts as called by what arrives: what is not listed under "datagrams" no datagram reaches.

Nothing in the core asks for a panic: \`clippy\` denies indexing, \`unwrap\`, \`expect\` and \`panic!\` there (\`clippy.toml\`, and the loops over arrays of constant length in \`crypto/compact\` apart). What is listed is what the compiler leaves in because it cannot prove what the reason says, in libraries for the most part.

${found.map(part).join("\n")}`;
}

/** Prints what was found; the number of panics without a reason. */
export function tell(found) {
  // No image is without any: then it was not read.
  let without = found.some(({ entries }) => entries.length > 0) ? 0 : 1;
  for (const { root, functions, entries } of found) {
    const sum = entries.reduce((all, { sites }) => all + sites, 0);
    console.log(`# panics from ${root.what}: ${sum} calls in ${functions} functions and constants`);
    for (const { place, kind, functions: names, through } of entries.filter((e) => !e.reason)) {
      without += 1;
      console.log(`  no reason: ${place}: ${kind}, in ${[...names].join(", ")}${through.size ? ` from ${[...through].join(", ")}` : ""}`);
    }
  }
  return without;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = join(dirname(process.argv[1]), "target/rp2040/thumbv6m-none-eabi/release/peer");
  process.exit(tell(panics(process.argv[2] ?? built)) === 0 ? 0 : 1);
}
