// Candidates other than addresses of UDP. ICE over TCP (RFC 6544), without UDP:
// the runtimes that listen and those that open streams, the native example,
// browsers, and what happens to streams. And names of multicast DNS, which
// browsers hide their addresses behind.
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { RTCPeerConnection, dgram } from "picortc";
import { BROWSERS, launch } from "../../tests/browsers/browser.mjs";
import { Program } from "./processes.mjs";
import { echoes, reach } from "./reach.mjs";
import { Report, freePort, ownAddress as own } from "./report.mjs";
import { RUNTIMES, peerCommand } from "./runtimes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const report = new Report("candidates");
const url = (program) => program.wait((line) => line.url, "the URL");
const serving = (runtime, options) => {
  const [command, ...args] = peerCommand(runtime);
  return new Program(command, [...args, "serve", "--dgram", JSON.stringify(options)], { cwd: here });
};
const overTcp = (saw) => {
  if (!saw.startsWith("tcp")) throw new Error(`it went over ${saw}`);
  return saw;
};

async function from(runtime, url) {
  const [command, ...args] = RUNTIMES[runtime]();
  const program = new Program(command, [...args, `${here}relayed-peer.mjs`, "reach", JSON.stringify({ udp: false, tcp: "active", url })], { cwd: here });
  try {
    const { saw, error } = await program.wait((line) => (line.saw || line.error) && line, runtime);
    if (error) throw new Error(error);
    return overTcp(saw);
  } finally {
    await program.stop();
  }
}

const served = new Map();
for (const runtime of Object.keys(RUNTIMES)) served.set(runtime, serving(runtime, { udp: false, tcp: "passive" }));
const node = await url(served.get("node"));

for (const [active, passive] of [["node", "deno"], ["deno", "bun"], ["bun", "node"]]) {
  await report.check(`tcp: ${active} reaches ${passive}`, async () => from(active, await url(served.get(passive))));
}

const EXAMPLE = fileURLToPath(new URL("../../target/release/examples/data-channels", import.meta.url));
const program = new Program(EXAMPLE, ["--bind", `${own}:0`, "--http", "127.0.0.1:0", "--tcp", "--no-udp", "--exit-after", "600"]);
await report.check("tcp: node reaches the native example", async () => {
  const offers = await program.wait((line) => /http:\/\/\S+?\//.exec(line.text ?? "")?.[0], "the example's URL");
  return from("node", `${offers}offer`);
});
await program.stop();

// With their names of multicast DNS, as browsers are shipped. `bare`: the browser
// is not told where we are, and cannot show its address by a check.
const reachFrom = (page, url, bare) => page.evaluate(async (code, url, bare) => {
  const module = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { reach } = await import(module(code.reach.replace("./battery.mjs", module(code.battery))));
  return reach({ RTCPeerConnection, url, ...(bare ? { alter: (sdp) => sdp.replace(/a=candidate:.*\r\n/g, "") } : {}) });
}, { reach: text("reach.mjs"), battery: text("battery.mjs") }, url, bare);

const named = new Map();
named.set("node", serving("node", {}));
for (const name of BROWSERS) {
  const browser = await launch(name, "default");
  const page = await browser.page();
  await page.goto(new URL("/", node).href);
  await report.check(`tcp: ${name} reaches node`, async () => overTcp(await reachFrom(page, node, false)));
  for (const [runtime, program] of named) {
    await report.check(`mdns: ${runtime} finds ${name}`, async () => reachFrom(page, await url(program), true));
  }
  await browser.close();
}

// The candidate's address gives way to one of ours, which leads there.
const led = (sdp, port) => sdp.replace(/(a=candidate:\S+ 1 tcp \d+) \S+ \d+( typ host tcptype passive)/i, `$1 ${own} ${port}$2`);
const behind = (sdp) => {
  const [, host, port] = /a=candidate:\S+ 1 tcp \d+ (\S+) (\d+) typ host tcptype passive/i.exec(sdp);
  return { host, port: Number(port) };
};
const transport = dgram({ udp: false, tcp: "active" });

await report.check("tcp: a candidate where nobody listens", async () => {
  const nobody = await freePort(own);
  const alter = (sdp) => sdp.replace(/a=candidate:.*passive.*\r\n/i, (line) => `${led(line, nobody)}${line}`);
  return overTcp(await reach({ RTCPeerConnection, transport, url: node, alter }));
});

await report.check("tcp: streams that end are opened again", async () => {
  const through = [];
  let target;
  const proxy = createServer((socket) => {
    const onward = connect(target);
    through.push(socket);
    for (const [one, other] of [[socket, onward], [onward, socket]]) {
      one.pipe(other);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => proxy.listen(0, own, resolve));
  // The only candidate, so that there is no other pair to go over.
  const alter = (sdp) => {
    target = behind(sdp);
    const line = led(/a=candidate:.*passive.*\r\n/i.exec(sdp)[0], proxy.address().port);
    return sdp.replace(/a=candidate:.*\r\n/gi, "").replace(/a=end-of-candidates\r\n/, "") + line;
  };
  const then = async (channel) => {
    for (const socket of through) socket.destroy();
    await echoes(channel, 100_000);
  };
  try {
    const saw = overTcp(await reach({ RTCPeerConnection, transport, url: node, alter, then }));
    if (through.length < 2) throw new Error("no second stream was opened");
    return `${saw}, ${through.length} streams`;
  } finally {
    proxy.close();
    for (const socket of through) socket.destroy();
  }
});

await report.check("tcp: strangers on the listener", async () => {
  let at;
  const alter = (sdp) => ((at = behind(sdp)), sdp);
  const strangers = [];
  let ended = 0;
  const then = async (channel) => {
    const refused = new Promise((resolve) => {
      for (let i = 0; i < 12; i++) {
        const socket = connect(at, () => socket.write(i % 2 ? "GET / HTTP/1.1\r\n\r\n" : Buffer.from([0, 3, 255, 255, 255, 0, 0])));
        socket.on("error", () => {}).on("data", () => {}).on("close", () => {
          ended += 1;
          if (ended === 9) resolve();
        });
        strangers.push(socket);
      }
    });
    await refused;
    await echoes(channel, 100_000);
  };
  const saw = overTcp(await reach({ RTCPeerConnection, transport, url: node, alter, then }));
  for (const socket of strangers) socket.destroy();
  return `${saw}, ${ended} of 12 ended at once`;
});

for (const program of [...served.values(), ...named.values()]) await program.stop();
report.end();

function text(file) {
  return readFileSync(new URL(file, import.meta.url), "utf8");
}
