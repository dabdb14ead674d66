// An emulated board: QEMU with the firmware, its console, and its monitor; or
// the model of an RP2040 with a W5500.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

// How each board is emulated; `nic` is the network card's device.
const MACHINES = {
  arm: {
    command: "qemu-system-arm",
    args: ["-M", "mps2-an385"],
    nic: (tap, mac) => ["-nic", `tap,id=n0,ifname=${tap},script=no,downscript=no,model=lan9118,mac=${mac}`],
  },
  riscv: {
    command: "qemu-system-riscv32",
    args: ["-M", "virt", "-bios", "none", "-m", "16M", "-cpu", "rv32,a=false,f=false,d=false"],
    nic: (tap, mac) => [
      ...["-netdev", `tap,id=n0,ifname=${tap},script=no,downscript=no`],
      ...["-device", `virtio-net-device,netdev=n0,mac=${mac}`],
    ],
  },
};

const ENDED = "# the emulator ended with";

// An image that is flashed takes nothing from its surroundings but its network.
const rp2040 = (kernel, number) => [
  process.execPath,
  [fileURLToPath(new URL("../boards/w5500-board.mjs", import.meta.url)), kernel, `tap${number}`],
];

export class Board {
  lines = [];
  #waiting = new Set();

  // `number` chooses its tap and its hardware address; `args` go to the firmware.
  constructor(kind, kernel, number, args = {}) {
    this.kind = kind;
    this.dir = mkdtempSync(join(tmpdir(), "board-"));
    this.socket = join(this.dir, "qmp");
    const [command, line] = kind === "rp2040" ? rp2040(kernel, number) : this.#qemu(kind, kernel, number, args);
    this.child = spawn(command, line, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#heard(line));
    }
    this.ended = new Promise((resolve) => this.child.once("exit", (code) => resolve(code)));
    this.ended.then((code) => this.#heard(`${ENDED} ${code}`));
  }

  #qemu(kind, kernel, number, args) {
    const { command, args: machine, nic } = MACHINES[kind];
    const options = Object.entries(args).map(([name, value]) => `,arg=${name}=${value}`);
    return [
      command,
      [
        ...machine,
        ...["-display", "none", "-monitor", "none", "-serial", "none"],
        ...["-semihosting-config", `enable=on,target=native,arg=firmware${options.join("")}`],
        ...nic(`tap${number}`, `52:54:00:12:34:${(0x50 + number).toString(16)}`),
        ...["-qmp", `unix:${this.socket},server,nowait`, "-kernel", kernel],
      ],
    ];
  }

  #heard(line) {
    this.lines.push(line);
    for (const look of this.#waiting) look();
  }

  // The first line from `from` on that matches.
  line(pattern, ms = 60_000, from = 0) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const line = this.lines.slice(from).find((l) => pattern.test(l));
        const over = line === undefined && this.lines.at(-1)?.startsWith(ENDED);
        if (line === undefined && !over) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (over) reject(new Error(`the board ended while ${pattern} was awaited`));
        else resolve(line);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`the board did not say ${pattern} within ${ms} ms`));
      }, ms);
      this.#waiting.add(look);
      look();
    });
  }

  // Where its page is, once it has an address.
  async url() {
    return /http:\S+/.exec(await this.line(/the page is at/))[0];
  }

  // One command of QEMU's monitor (QMP).
  command(execute, args) {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socket);
      socket.once("error", reject);
      const send = (message) => socket.write(`${JSON.stringify(message)}\n`);
      createInterface({ input: socket }).on("line", (line) => {
        const message = JSON.parse(line);
        if (message.QMP) send({ execute: "qmp_capabilities", id: "hello" });
        else if (message.id === "hello") send({ execute, arguments: args, id: "it" });
        else if (message.id === "it") {
          socket.end();
          if (message.error) reject(new Error(message.error.desc));
          else resolve(message.return);
        }
      });
    });
  }

  setLink(up) {
    return this.command("set_link", { name: "n0", up });
  }

  async end() {
    this.child.kill();
    await this.ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
