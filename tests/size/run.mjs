// Builds the programs of this package for each target, runs them in emulators,
// and compares what they take with budgets.json; and finds what could panic.
// `--write` also writes docs/size.md and docs/panics.md. Everything that is compared is a count and is the same in
// every run of one compiler.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { document as panicsDocument, panics, tell } from "./panics.mjs";
import { runOnRp2040 } from "./rp2040.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const budgets = JSON.parse(readFileSync(join(here, "budgets.json"), "utf8"));

const semihosted = "-display none -monitor none -serial none -semihosting-config enable=on,target=native";
const mps2 = `qemu-system-arm -M mps2-an385 ${semihosted} -icount shift=6`;
const virt = `qemu-system-riscv32 -M virt -bios none -m 16M -cpu rv32,a=false,f=false,d=false ${semihosted} -icount shift=0`;

/** Where the programs run. `mhz` is the clock of the chip that a target stands for. */
const machines = [
  { name: "thumbv6m-none-eabi", target: "thumbv6m-none-eabi", title: "thumbv6m", emulator: mps2 },
  { name: "rp2040", target: "thumbv6m-none-eabi", title: "RP2040", features: "rp2040", mhz: 133 },
  { name: "thumbv7m-none-eabi", target: "thumbv7m-none-eabi", title: "thumbv7m", emulator: mps2 },
  { name: "riscv32imc-unknown-none-elf", target: "riscv32imc-unknown-none-elf", title: "riscv32imc", emulator: virt, mhz: 160 },
];

/** The same with the hybrid key exchange, where it is measured. */
const hybrids = machines
  .filter(({ name }) => ["thumbv6m-none-eabi", "riscv32imc-unknown-none-elf"].includes(name))
  .map((machine) => ({ ...machine, name: `${machine.name}, hybrid`, of: machine.name, features: "post-quantum" }));

/** What the project wants to reach, by machine and figure. */
const goals = {
  "thumbv6m-none-eabi": { flash: 120 * 1024, connected: 20 * 1024, stack: 10 * 1024 },
  rp2040: { handshake: 0.6 * 133e6, gap: 0.02 * 125e6 },
  "riscv32imc-unknown-none-elf": { handshake: 0.15 * 160e6, gap: 0.02 * 160e6 },
};

let passed = 0;
let failed = 0;
function check(name, ok, detail) {
  console.log(`${ok ? "ok" : "FAIL"} ${name}${detail ? `: ${detail}` : ""}`);
  if (ok) passed++;
  else failed++;
}

function build({ target, features }) {
  // A directory of its own where features differ: cargo replaces the program else.
  const dir = join(here, "target", features ?? "plain");
  const args = ["build", "--quiet", "--release", "--target", target, "--target-dir", dir];
  if (features) args.push("--features", features);
  execFileSync("cargo", args, { cwd: here, stdio: ["ignore", "inherit", "inherit"] });
  return (bin) => join(dir, target, "release", bin);
}

/** Runs a program, and reads its lines `key value`. */
function run({ emulator }, path) {
  let output;
  let success;
  if (emulator) {
    const [command, ...args] = emulator.split(" ");
    const done = spawnSync(command, [...args, "-kernel", path], { encoding: "utf8", timeout: 300_000 });
    if (done.error) throw done.error;
    output = done.stdout + done.stderr;
    success = done.status === 0;
  } else {
    ({ output, success } = runOnRp2040(readFileSync(path)));
  }
  if (!success) throw new Error(`${path} failed:\n${output}`);
  const figures = {};
  for (const [, key, value] of output.matchAll(/^([a-z0-9-]+) (\d+)$/gm)) figures[key] = Number(value);
  return figures;
}

/** Octets that stay in flash: code, constants, and the start values of data. */
function flash(path) {
  const lines = execFileSync("llvm-size", ["-A", path], { encoding: "utf8" }).split("\n");
  let sum = 0;
  for (const line of lines) {
    const [section, size] = line.trim().split(/\s+/);
    if (/^\.(vector_table|init|init\.rust|text(\..*)?|rodata(\..*)?|data(\..*)?)$/.test(section)) sum += Number(size);
  }
  return sum;
}

/** Flash by crate, and by module within the core. */
function contributors(path) {
  const symbols = execFileSync("llvm-nm", ["--demangle", "--print-size", path], { encoding: "utf8", maxBuffer: 1 << 26 });
  const sums = new Map();
  for (const [, size, name] of symbols.matchAll(/^[0-9a-f]+ ([0-9a-f]+) [tTrRwWvV] (.*)$/gm)) {
    // What the legacy mangling leaves behind.
    const plain = name.replaceAll("..", "::").replace(/\$LT\$|\$u5b\$|\$RF\$|\$u20\$/g, " ");
    const inside = /picortc::([a-z_0-9]+)/.exec(plain);
    const crate = /(?:^|[^a-z0-9_:])([a-z_][a-z0-9_]*)::/.exec(` ${plain}`);
    const key = inside ? `picortc::${inside[1]}` : crate ? crate[1] : "compiler and runtime";
    sums.set(key, (sums.get(key) ?? 0) + Number.parseInt(size, 16));
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}

function measure(machine) {
  const path = build(machine);
  const empty = path("empty");
  const peer = path("peer");
  run(machine, empty);
  const got = run(machine, peer);
  const most = (key) => Math.max(got[`offerer-${key}`], got[`answerer-${key}`]);
  const shaken = (version) => {
    const of = (key) => [`${version}offerer-${key}`, `${version}answerer-${key}`].map((name) => got[name]);
    const [calls, operations] = [of("calls"), of("operations")];
    return {
      handshake: Math.max(calls[0] + operations[0], calls[1] + operations[1]),
      operations: Math.max(...operations),
      gap: Math.max(...of("calls-longest"), ...of("operations-longest")),
      calls: got[`${version}stack-calls`],
      stack: got[`${version}stack-operations`],
    };
  };
  return {
    ...got,
    flash: flash(peer) - flash(empty),
    heap: most("heap"),
    connected: got["heap-settled"],
    stack: Math.max(got["stack-calls"], got["stack-operations"], got["stack-negotiation"]),
    handshake: shaken("").handshake,
    gap: shaken("").gap,
    versions: { 1.3: shaken(""), 1.2: shaken("v12-") },
    contributors: contributors(peer),
    path: peer,
  };
}

/** Why flash is not what it should be, and what it is made of. */
function floor({ flash, contributors }) {
  const shares = { crypto: 0, runtime: 0, program: 0, protocols: 0 };
  for (const [name, size] of contributors) {
    const kind = /^picortc::crypto$|^picortc_ciphers$|aes|cipher|poly|hash|sha[12]|hmac|digest|chacha/.test(name)
      ? "crypto"
      : /^(core|alloc|compiler.*)$/.test(name)
        ? "runtime"
        : /^(peer|picortc_size|linked_list_allocator)$/.test(name)
          ? "program"
          : "protocols";
    shares[kind] += size;
  }
  const k = (octets) => `${Math.round(octets / 1000)} KB`;
  return `Flash: 120 KB would be ${k(flash - 120 * 1024)} less. On thumbv6m ${k(shares.crypto)} are crypto, ${k(shares.runtime)} what is used of \`core\`, \`alloc\` and the compiler's runtime, ${k(shares.program)} the measuring program with what of the core is compiled into it, and ${k(shares.protocols)} ICE, both versions of DTLS in both roles, SCTP, data channels, descriptions, gathering and statistics. Crypto is near its floor: the curves are our own and compact, and of the ciphers AES-GCM, 12 KB, is there for peers that have no ChaCha20-Poly1305. With it the protocols would have to become less than half of what they are, which no option of the compiler gives: what inlines less only makes it larger. It would take features to leave out what a device may do without (DTLS 1.2, the server's or the client's role, gathering from servers, statistics).`;
}

const grouped = (n) => (n === undefined ? "" : n.toLocaleString("en-US"));
const ms = (count, mhz) => (mhz ? ` (${(count / mhz / 1000).toFixed(1)} ms)` : "");

function document(all) {
  const row = (title, cell) => `| ${title} | ${machines.map((m) => cell(all[m.name], m)).join(" | ")} |`;
  const plain = (title, key) => row(title, (f) => grouped(f[key]));
  const timed = (title, of) => row(title, (f, m) => `${grouped(of(f))}${ms(of(f), m.mhz)}`);
  const part = (key) => (f) => Math.max(f[`offerer-${key}`] ?? 0, f[`answerer-${key}`] ?? 0);
  const v6m = all["thumbv6m-none-eabi"];
  const small = v6m.contributors.filter(([, size]) => size < 500).reduce((sum, [, size]) => sum + size, 0);
  const goalRows = Object.entries(goals).flatMap(([name, wanted]) =>
    Object.entries(wanted).map(([key, goal]) => {
      const is = all[name][key];
      return `| ${name}, ${key} | ${grouped(Math.round(goal))} | ${grouped(is)} | ${is <= goal ? "yes" : "no"} |`;
    }),
  );
  const version = ({ name, title, mhz }, text, handshake) => {
    const f = all[name];
    const cells = [f.flash, f.heap, f.connected, handshake.calls, handshake.stack].map(grouped);
    const work = [handshake.handshake, handshake.operations, handshake.gap].map((n) => `${grouped(n)}${ms(n, mhz)}`);
    return `| ${[title, text, ...cells, ...work].join(" | ")} |`;
  };
  const versionRows = machines.flatMap((machine) => {
    const hybrid = hybrids.find(({ of }) => of === machine.name);
    return [
      version(machine, "1.2", all[machine.name].versions["1.2"]),
      version(machine, "1.3", all[machine.name].versions["1.3"]),
      ...(hybrid ? [version(hybrid, "1.3 with X25519MLKEM768", all[hybrid.name].versions["1.3"])] : []),
    ];
  });
  return `# What a microcontroller pays

Written by \`node tests/size/run.mjs --write\` (\`tests/run size\` measures and compares with \`tests/size/budgets.json\`). The program measured, \`tests/size/src/bin/peer.rs\`, is two connections with \`Limits::TINY\` and the provider \`CHIP\`, features \`data\` and \`rust-crypto\`, with DTLS 1.3 and X25519 where nothing else is said, at \`opt-level = "z"\` (the ciphers at 2) with fat LTO; on Arm with the small implementations of SHA-2 and AES (\`tests/size/.cargo/config.toml\`).

- Flash is code, constants and start values, less those of a program that has the same allocator and start-up and no core. Protocols, crypto, and what they need of \`core\`, \`alloc\` and the compiler's runtime are in it, and so is the program's own loop; a network stack is not.
- Heap is one connection's, its own struct and its certificate included, as its allocator was asked for it. All is taken at construction; what only a handshake needs is given back when both ends are through.
- Stack is what lies below the caller of the core.
- The columns thumbv6m and thumbv7m are instructions in QEMU (a Cortex-M3 runs both), RP2040 is cycles of the Cortex-M0+ in \`rp2040js\` (flash without wait states; milliseconds at 133 MHz), riscv32imc is instructions in QEMU (milliseconds at 160 MHz and one cycle per instruction).

| | ${machines.map((m) => m.title).join(" | ")} |
| --- | ${machines.map(() => "---:").join(" | ")} |
${plain("flash, octets", "flash")}
${plain("heap of a connection, octets, while it connects", "heap")}
${plain("and once it is connected", "connected")}
${plain("heap while descriptions are exchanged, octets more", "heap-negotiation")}
${plain("stack, construction", "stack-build")}
${plain("stack, offer and answer", "stack-negotiation")}
${plain("stack, protocols", "stack-calls")}
${plain("stack, public-key operations", "stack-operations")}
${timed("construction with a new certificate", part("build"))}
${timed("keys made ahead of the offer", part("ahead"))}
${timed("offer and answer", part("negotiation"))}
${timed("handshake, first check to open channel, one end", (f) => f.handshake)}
${timed("of it public-key operations", part("operations"))}
${timed("the longest that it computes in one go", (f) => f.gap)}
${timed("a message of 1,000 octets, sender", (f) => f["message-sender"])}
${timed("a message of 1,000 octets, receiver", (f) => f["message-receiver"])}

## By version of DTLS

Every program has both versions. With the hybrid group it has the feature \`post-quantum\`, the provider \`CHIP_HYBRID\`, and 2,048 octets for flights instead of 1,024.

| | DTLS | flash | heap | connected | stack, protocols | stack, public-key operations | handshake, one end | of it public-key operations | the longest in one go |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${versionRows.join("\n")}

## Goals

| | at most | is | met |
| --- | ---: | ---: | --- |
${goalRows.join("\n")}

${floor(v6m)}

## Where the flash goes (thumbv6m)

| | octets |
| --- | ---: |
${v6m.contributors.filter(([, size]) => size >= 500).map(([name, size]) => `| ${name} | ${grouped(size)} |`).join("\n")}
| all others | ${grouped(small)} |
`;
}

const all = {};
for (const machine of [...machines, ...hybrids]) {
  try {
    all[machine.name] = measure(machine);
  } catch (error) {
    check(`${machine.name} runs`, false, error.message);
    continue;
  }
  check(`${machine.name} runs`, true);
  for (const [key, most] of Object.entries(budgets[machine.name])) {
    const is = all[machine.name][key];
    check(`${machine.name}, ${key}`, is <= most, `${grouped(is)} of at most ${grouped(most)}`);
  }
}
const found = all.rp2040 && panics(all.rp2040.path);
if (found) check("every panic that is left has a reason why it does not happen", tell(found) === 0, "docs/panics.md");
if (failed === 0 || process.argv.includes("--write")) {
  const text = document(all);
  console.log(text.slice(text.indexOf("\n| |") + 1));
  if (process.argv.includes("--write")) {
    writeFileSync(join(here, "../../docs/size.md"), text);
    if (found) writeFileSync(join(here, "../../docs/panics.md"), panicsDocument(found));
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
