import { createSocket } from "node:dgram";
import { randomBytes } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Flooder } from "./flooder.mjs";

const OUT = fileURLToPath(new URL("../out/embedded/", import.meta.url));
const DEVICE_PAGE = fileURLToPath(new URL("../../examples-wasm/browser-to-device/server.mjs", import.meta.url));

// What must hold between an emulated board and a real browser. A case fails by
// throwing; what it returns is the figure printed beside its name.
const expect = (holds, what) => {
  if (!holds) throw new Error(what);
};
// Asks the network of `net.sh` for a name's IPv4 address, as a resolver that
// knows nothing of multicast DNS but its address (RFC 6762, Section 6.7).
async function resolve(name, ms = 20_000) {
  const question = Buffer.concat([
    Buffer.from([0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0, 0, 1, 0, 1]),
  ]);
  const socket = createSocket("udp4");
  await new Promise((bound) => socket.bind(0, "10.77.0.1", bound));
  socket.setMulticastInterface("10.77.0.1");
  try {
    return await new Promise((found, failed) => {
      const ask = () => socket.send(question, 5353, "224.0.0.251");
      const again = setInterval(ask, 1000);
      const end = setTimeout(() => failed(new Error(`nobody answers for ${name}`)), ms);
      socket.on("message", (answer) => {
        // One answer, behind the question that is repeated: its data are four
        // octets behind a name, type, class, time and length.
        const at = answer.indexOf(Buffer.from([0, 1, 0, 1]), question.length - 4 + 4);
        if (answer.readUInt16BE(0) !== 0x1234 || answer.readUInt16BE(6) < 1 || at < 0) return;
        clearInterval(again);
        clearTimeout(end);
        found([...answer.subarray(at + 10, at + 14)].join("."));
      });
      ask();
    });
  } finally {
    socket.close();
  }
}
const MIB = 1_048_576;
const ROUNDS = 20;
// Places for peers of the boards' firmware.
const PLACES = 2;

export const CASES = [
  {
    name: "the page and its refusals",
    async run(t) {
      const from = t.board.lines.length;
      const page = await t.fetch("/");
      expect(page.status === 200 && (await page.text()).includes("picortc"), `the page: ${page.status}`);
      const refusals = [
        ["no PIN", await t.post("v=0", {}), 401],
        ["a wrong PIN", await t.post("v=0", { authorization: "Bearer 000000" }), 401],
        ["nonsense", await t.post("hello"), 400],
        ["20 KB", await t.post("v=0\r\n".padEnd(20_000, "a=x\r\n")), 413],
        ["a peer that is none", await t.post("v=0", { authorization: `Bearer ${t.pin}`, "x-peer": "9-9" }), 404],
        ["without a data section", await t.post("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"), 400],
      ];
      for (const [what, response, status] of refusals) {
        const words = (await response.text()).trim();
        expect(response.status === status && words, `an offer with ${what}: ${response.status} ${words}`);
      }
      // The console has a line for each, in their order.
      const said = refusals.map(([, , status]) => (status === 401 ? "an offer without the PIN" : `an offer is refused with ${status}`));
      await t.board.line(new RegExp(said.at(-1)), 10_000, from + said.length - 1);
      const lines = t.board.lines.slice(from).map((line) => /an offer (is refused with \d+|without the PIN)/.exec(line)?.[0]).filter(Boolean);
      expect(lines.join() === said.join(), `the console says: ${lines.join(", ")}`);
      const elsewhere = await t.fetch("/nowhere");
      expect(elsewhere.status === 404, `/nowhere: ${elsewhere.status}`);
      return refusals.map(([what, response]) => `${what} ${response.status}`).join(", ");
    },
  },
  {
    name: "its name on the network",
    async run(t) {
      const name = /(picortc-[0-9a-f]{4}\.local)/.exec(await t.board.line(/the name is picortc-/))[1];
      const fingerprint = /identity sha-256 (..):(..)/i.exec(t.board.lines.join("\n"));
      expect(name === `picortc-${fingerprint[1]}${fingerprint[2]}.local`.toLowerCase(), `${name} is not the start of ${fingerprint[0]}`);
      const address = await resolve(name);
      expect(address === new URL(t.url).hostname, `${name} is ${address}`);
      return `${name} is ${address}, asked by multicast`;
    },
  },
  {
    name: "a wrong PIN is told in the page",
    browser: "chromium",
    async run(t) {
      const tab = await t.tab();
      const problem = await tab.connect("123456");
      expect(/PIN is wrong/.test(problem), `the page says: ${problem}`);
      return problem;
    },
  },
  {
    name: "offers that are refused, in the page",
    browser: "chromium",
    async run(t) {
      const offers = [
        ["v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", 400, /data channel|data section/i],
        ["v=0\r\n".padEnd(20_000, "a=x\r\n"), 413, /the offer has 20000 octets/],
      ];
      const problems = [];
      for (const [offer, status, words] of offers) {
        const from = t.board.lines.length;
        const tab = await t.tab();
        // Another offer than the browser's.
        await tab.page.evaluate((body) => {
          const { fetch } = window;
          window.fetch = (url, options) => fetch(url, { ...options, body });
        }, offer);
        problems.push(await tab.connect(t.pin));
        expect(words.test(problems.at(-1)), `the page says: ${problems.at(-1)}`);
        await t.board.line(new RegExp(`an offer is refused with ${status}`), 10_000, from);
      }
      expect((await t.fetch("/")).status === 200, "the page is not served any more");
      return problems.join("; ");
    },
  },
  {
    name: "a page opened twice",
    browser: "chromium",
    async run(t) {
      const tabs = [await t.connected(), await t.connected()];
      await Promise.all(tabs.map((tab) => tab.echo(10, 500)));
      expect((await tabs[1].status()).peers === 2, "two tabs are not two peers");
      const from = t.board.lines.length;
      // And once more in the same tab, whose connection nobody closes.
      await tabs[0].page.reload();
      const left = await t.board.line(/has left/, 90_000, from);
      const again = await t.connected();
      await Promise.all([tabs[1], again].map((tab) => tab.echo(10, 500)));
      return `both are served; reloaded, the device says: ${left.replace(/^.*?peer/, "peer")}`;
    },
  },
  {
    name: "the LED and the temperature",
    browser: "chromium",
    async run(t) {
      const from = t.board.lines.length;
      const tab = await t.connected();
      await tab.page.waitForFunction(() => /^-?\d+\.\d$/.test(document.getElementById("temperature").textContent));
      await tab.page.click("#led");
      await t.board.line(/LED on/, 10_000, from);
      await tab.page.waitForFunction(() => document.getElementById("led").getAttribute("aria-pressed") === "true");
      await tab.page.click("#led");
      await t.board.line(/LED off/, 10_000, from);
      const steps = t.board.lines.slice(from).filter((l) => /after \d+ ms/.test(l));
      return steps.map((l) => /(\w+) after (\d+ ms)/.exec(l).slice(1).join(" ")).join(", ");
    },
  },
  {
    name: "readings in another server's page",
    kind: "arm", // Once is enough: what runs on the board is what runs in the other cases.
    browser: "chromium",
    async run(t) {
      const server = spawn(process.execPath, [DEVICE_PAGE, t.url, "--http", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
      try {
        const [said] = await once(createInterface({ input: server.stdout }), "line");
        const page = await t.browser.page();
        await page.goto(said.split(" ")[0]);
        await page.type("#pin", t.pin);
        await page.click("#connect");
        const points = () => ["temperature", "heap"].map((what) => (document.querySelector(`#${what}-plot path`).getAttribute("d").match(/[ML]/g) ?? []).length);
        await page.waitForFunction(`(${points})().every((n) => n >= 3)`, { timeout: 60_000 });
        const from = t.board.lines.length;
        await page.click("#led");
        await t.board.line(/LED on/, 10_000, from);
        await page.click("#led");
        await t.board.line(/LED off/, 10_000, from);
        const [temperature, heap] = await page.evaluate(() => ["temperature", "heap"].map((what) => document.getElementById(what).textContent));
        await page.screenshot({ path: `${OUT}readings-${t.name}.png` });
        await page.close();
        return `${temperature} °C and ${heap} KB, plotted`;
      } finally {
        server.kill();
      }
    },
  },
  {
    name: "a channel, in cycles of the chip",
    kind: "rp2040",
    browser: "chromium",
    async run(t) {
      const from = t.board.lines.length;
      const tab = await t.connected();
      await tab.page.click("#led");
      await t.board.line(/LED on/, 60_000, from);
      const echoes = await tab.echo(100, 1024);
      const words = /# handshake: (.*)/.exec(await t.board.line(/^# handshake/, 10_000, from))[1];
      const millions = Number.parseFloat(words);
      // How many checks and flights are repeated depends on how slow the model
      // is; twice what was seen is something else.
      expect(millions < 140, words);
      const again = t.board.lines.find((line) => /^# a DTLS record was sent/.test(line));
      expect(!again, again);
      return `${words}; ${(millions / 133).toFixed(2)} s of computing at 133 MHz; ${echoes} echoes with their digests`;
    },
  },
  {
    name: "1,000 echoes",
    browser: "chromium",
    run: async (t) => `${await (await t.connected()).echo(1000, 1024)} messages with their digests`,
  },
  {
    name: `connect and close ${ROUNDS} times`,
    browser: "chromium",
    async run(t) {
      const heaps = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const tab = await t.connected();
        const { heap, peers } = await tab.status();
        expect(peers === 1, `${peers} peers in round ${round}`);
        heaps.push(heap);
        const from = t.board.lines.length;
        await tab.disconnect();
        await t.board.line(/has left/, 20_000, from);
        await tab.close();
      }
      // The first rounds differ by what the allocator rounds up.
      expect(heaps.slice(2).every((heap) => heap <= heaps[1]), `the heap in use grows: ${heaps.join(" ")}`);
      return `${heaps.at(-1)} octets of heap in use with a peer, from the second round to the last`;
    },
  },
  {
    name: "1 MiB each way",
    browser: "chromium",
    async run(t) {
      const tab = await t.connected();
      const [up, down] = [await tab.upload(MIB), await tab.download(MIB)];
      return `digests are the same; ${up.toFixed(1)} Mbit/s up, ${down.toFixed(1)} down, emulated`;
    },
  },
  {
    name: "ICE restart",
    browser: "chromium",
    async run(t) {
      const tab = await t.connected();
      await tab.restart();
      await tab.echo(20, 1024);
      expect((await tab.status()).peers === 1, "the restart made another peer");
      return "the channel goes on over the new pair";
    },
  },
  {
    name: "the link drops and returns",
    browser: "chromium",
    async run(t) {
      const tab = await t.connected();
      await tab.echo(5, 100);
      await t.board.setLink(false);
      const over = await tab.page.waitForFunction(() => session?.pc.iceConnectionState === "disconnected", { timeout: 30_000 }).then(
        () => "the browser saw it",
        () => "the browser saw nothing",
      );
      await t.board.setLink(true);
      await tab.echo(20, 1024);
      return `${over}; the channel goes on`;
    },
  },
  {
    name: "every place taken",
    browser: "chromium",
    async run(t) {
      const tabs = [];
      for (let i = 0; i < PLACES; i += 1) tabs.push(await t.connected());
      await Promise.all(tabs.map((tab) => tab.echo(50, 500)));
      const extra = await t.tab();
      const problem = await extra.connect(t.pin);
      expect(/every place for a peer is taken/.test(problem), `the page says: ${problem}`);
      const from = t.board.lines.length;
      await tabs[0].disconnect();
      await t.board.line(/has left/, 20_000, from);
      expect((await extra.connect(t.pin)) === "", "there is a place again, and the device refuses");
      await extra.echo(5, 100);
      return `${PLACES} tabs at once; one more is told: ${problem}`;
    },
  },
  {
    name: "a flood",
    browser: "chromium",
    async run(t) {
      const tab = await t.connected();
      const before = (await tab.status()).heap;
      const socket = createSocket("udp4");
      const host = new URL(t.url).hostname;
      // A ClientHello's head with a body of noise, a check with a wrong
      // password, and what is nothing at all.
      const hello = Buffer.concat([Buffer.from("16fefd000000000000000000c8010000bc00000000000000bc", "hex"), randomBytes(188)]);
      const check = Buffer.concat([Buffer.from("000100002112a442", "hex"), randomBytes(12)]);
      let sent = 0;
      for (let round = 0; round < 200; round += 1) {
        for (const datagram of [hello, check, randomBytes(1 + (round % 1400)), Buffer.alloc(0)]) {
          await new Promise((resolve) => socket.send(datagram, 5000, host, resolve));
          sent += 1;
        }
        if (round % 50 === 0) await tab.echo(2, 200);
      }
      socket.close();
      // Candidates of addresses where nobody is: more than the device keeps.
      const offer = await tab.page.evaluate(async () => {
        const pc = new RTCPeerConnection();
        pc.createDataChannel("x");
        await pc.setLocalDescription();
        return pc.localDescription.sdp;
      });
      const lines = Array.from({ length: 12 }, (_, i) => `a=candidate:${i} 1 udp 2113937151 10.77.0.${150 + i} 9 typ host\r\n`).join("");
      const from = t.board.lines.length;
      const answer = await t.post(offer + lines);
      const words = await answer.text();
      await tab.page.evaluate(async () => {
        const { channel } = await window.line("empty");
        for (let i = 0; i < 500; i += 1) channel.send(i % 2 ? "" : new Uint8Array(0));
        channel.close();
      });
      await tab.echo(100, 1024);
      expect((await tab.page.evaluate(() => session.pc.connectionState)) === "connected", "the connection is gone");
      const { heap, peers } = await tab.status();
      expect(peers > 1 || heap <= before + 256, `the heap in use grew from ${before} to ${heap}`);
      // Nobody follows the offer: its place is free again some time.
      if (answer.ok) await t.board.line(/has left/, 120_000, from);
      return `${sent} datagrams, 12 candidates of nobody (${answer.status}${answer.ok ? "" : ` ${words.trim()}`}), 500 empty messages; then 100 echoes`;
    },
  },
  {
    name: "ClientHellos along a path that is proved",
    kind: "riscv", // What runs on the board is the same on every one.
    browser: "chromium",
    async run(t) {
      const tab = await t.connected();
      const from = t.board.lines.length;
      const flooder = await Flooder.bind("10.77.0.1");
      const answer = await t.post(flooder.offer());
      const words = await answer.text();
      expect(answer.status === 201, `the offer: ${answer.status} ${words}`);
      await flooder.connect(words);
      await t.board.line(/PairValidated|PairSelected|after \d+ ms/, 10_000, from);
      const before = await tab.status();
      expect(before.peers === 2, `${before.peers} peers`);
      let echoes = 0;
      for (let round = 0; round < 5; round += 1) {
        const [, there] = await Promise.all([flooder.flood(400), tab.echo(10, 500)]);
        echoes += there;
        const { heap } = await tab.status();
        expect(heap <= before.heap + 256, `the heap in use grew from ${before.heap} to ${heap}`);
      }
      expect(flooder.flights > 0, "the device answers no ClientHello: the path is not proved");
      flooder.close();
      // It has no channel, and does not answer any more.
      await t.board.line(/has left/, 120_000, from);
      await tab.echo(20, 1024);
      const { heap, peers } = await tab.status();
      expect(peers === 1 && heap < before.heap, `${peers} peers, and ${heap} octets of heap in use`);
      return `2,000 of four kinds, ${flooder.flights} datagrams in answer; ${echoes} echoes of another peer meanwhile, the heap in use as before`;
    },
  },
  {
    name: "messages above the limit",
    browser: "chromium",
    async run(t) {
      const tab = await t.connected();
      const before = (await tab.status()).heap;
      const from = t.board.lines.length;
      // A browser that believes that the device takes 256 KiB.
      const ended = await tab.page.evaluate(async (pin) => {
        const pc = new RTCPeerConnection();
        const channel = pc.createDataChannel("big");
        await pc.setLocalDescription();
        while (pc.iceGatheringState !== "complete") {
          await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", resolve, { once: true }));
        }
        const headers = { authorization: `Bearer ${pin}` };
        const response = await fetch("/offer", { method: "POST", headers, body: pc.localDescription.sdp });
        const sdp = (await response.text()).replace(/a=max-message-size:\d+/, "a=max-message-size:262144");
        await pc.setRemoteDescription({ type: "answer", sdp });
        await new Promise((resolve) => (channel.onopen = resolve));
        let echoes = 0;
        channel.onmessage = () => (echoes += 1);
        const over = new Promise((resolve) => {
          channel.onclose = () => resolve("the channel was closed");
          setTimeout(() => resolve("nothing"), 10_000);
        });
        for (let i = 0; i < 10; i += 1) channel.send(new Uint8Array(50_000));
        const what = await over;
        pc.close();
        return { what, echoes };
      }, t.pin);
      expect(ended.echoes === 0, `${ended.echoes} messages of 50,000 octets came back`);
      await tab.echo(100, 1024);
      await t.board.line(/has left/, 60_000, from);
      const { heap, peers } = await tab.status();
      expect(peers === 1 && heap <= before + 256, `${peers} peers, and the heap in use grew from ${before} to ${heap}`);
      return `10 of 50,000 octets: ${ended.what}; 100 echoes of another connection meanwhile`;
    },
  },
  {
    name: "a certificate that is not the answer's",
    browser: "chromium",
    async run(t) {
      const from = t.board.lines.length;
      const tab = await t.tab();
      await tab.page.evaluate(() => {
        const { fetch } = window;
        window.fetch = async (...args) => {
          const response = await fetch(...args);
          const sdp = (await response.text()).replace(/(a=fingerprint:sha-256 )../i, (all, head) => `${head}${all.endsWith("00") ? "01" : "00"}`);
          return new Response(sdp, response);
        };
      });
      await tab.connect(t.pin);
      await tab.page.waitForFunction(() => /encryption/.test(document.getElementById("problem").textContent), { timeout: 60_000 });
      await t.board.line(/has left/, 60_000, from);
      return await tab.problem();
    },
  },
  {
    name: "a browser that vanishes",
    browser: "chromium",
    async run(t) {
      await t.connected();
      const from = t.board.lines.length;
      await t.browser.kill();
      t.tabs.splice(0);
      await t.use("chromium");
      const tab = await t.connected();
      await tab.echo(5, 100);
      await t.board.line(/the peer does not answer/, 90_000, from);
      await t.board.line(/has left/, 10_000, from);
      expect((await tab.status()).peers === 1, "its place is not free again");
      return "its place is free again; others were served meanwhile";
    },
  },
  {
    name: "dialling out to a server",
    browser: "chromium",
    async run(t) {
      const server = await t.rendezvous();
      server.refusals.push(504);
      const board = t.another(1, { dial: `${server.url}device`, token: t.pin });
      await board.line(/nobody is there to answer; dialling again in 1 s/);
      for (let visit = 0; visit < 2; visit += 1) {
        const from = board.lines.length;
        const tab = await t.tab(server.url);
        await tab.page.evaluate(() => meet());
        await tab.echo(50, 1024);
        expect((await tab.status()).peers === 1, "a call that was refused left a peer");
        await tab.page.evaluate(() => session.pc.close());
        await board.line(/has left/, 30_000, from);
      }
      const stranger = t.another(2, { dial: `${server.url}device`, token: "wrong" });
      await stranger.line(/the server does not take the token/);
      return "refused, then two visitors one after the other; a wrong token is told";
    },
  },
  {
    name: "offers by a WebSocket",
    kind: "arm", // What runs on the board is the same on every one.
    browser: "chromium",
    async run(t) {
      const server = await t.switchboard();
      const board = t.another(1, { dial: server.dial, token: t.pin });
      await board.line(/waiting for offers at ws:/);
      // Two visitors at once; each restarts.
      const tabs = [await t.tab(server.url), await t.tab(server.url)];
      for (const tab of tabs) {
        const said = await tab.page.evaluate(() => meet());
        expect(said.type === "answer", `the device says ${JSON.stringify(said)}`);
      }
      await Promise.all(tabs.map((tab) => tab.echo(30, 1024)));
      await tabs[0].restart();
      await tabs[0].echo(10, 1024);
      const { peers } = await tabs[0].status();
      expect(peers === 2, `${peers} peers`);
      const refusals = {
        "a third visitor": await (await t.tab(server.url)).page.evaluate(() => meet()),
        "no data section": await server.ask({ type: "offer", sdp: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", peer: "0-0" }),
        "a peer that is none": await server.ask({ type: "offer", sdp: "v=0\r\n", peer: "9-9" }),
      };
      expect(Object.values(refusals).every(({ type, message }) => type === "error" && message), JSON.stringify(refusals));
      server.device.ping("alive?");
      const [pong] = await once(server.device, "pong");
      expect(String(pong) === "alive?", `a ping comes back as ${pong}`);
      // In fragments, as some servers send what is long.
      server.device.send('{"type":"of', { fin: false });
      server.device.send('fer","id":"fragments","sdp":""}', { fin: true });
      const [fragments] = await once(server.device, "message");
      expect(JSON.parse(fragments).id === "fragments", `${fragments}`);

      let from = board.lines.length;
      let again = server.arrival();
      server.device.send(JSON.stringify({ type: "offer", sdp: "v=0\r\n".padEnd(20_000, "a=x\r\n") }));
      const [code] = await once(server.device, "close");
      expect(code === 1009, `an offer of 20 KB ends with ${code}`);
      await board.line(/a message of more than \d+ octets/, 10_000, from);
      await again;
      // A server that goes and comes.
      const { port } = server;
      server.close();
      const second = await t.switchboard(port);
      await second.arrival();
      await tabs[1].echo(10, 1024);
      const stranger = t.another(2, { dial: second.dial, token: "wrong" });
      await stranger.line(/the server does not take the token/);
      const statuses = Object.entries(refusals).map(([what, { status }]) => `${what} ${status}`);
      return `two visitors at once, an ICE restart; ${statuses.join(", ")}, 20 KB ${code}; back after the server was away`;
    },
  },
  {
    name: "no DHCP, and then there is",
    kind: "arm", // What runs on the board is the same on every one.
    async run(t) {
      const attach = (...where) => execFileSync("ip", ["link", "set", "tap1", ...where]);
      attach("nomaster");
      const board = t.another(1);
      try {
        const words = await board.line(/no address/, 60_000);
        attach("master", "br0");
        const page = await fetch(await board.url());
        expect(page.status === 200, `the page: ${page.status}`);
        return `the console says: ${/no address.*/.exec(words)[0]}; then the page is served`;
      } finally {
        attach("master", "br0");
      }
    },
  },
  {
    name: "two boards",
    async run(t) {
      const served = t.another(1, {}, true);
      const url = await served.url();
      const caller = t.another(2, { dial: `${url}offer`, token: t.pin });
      const pattern = /peer \S+: temperature \d+\.\d/;
      for (const board of [caller, served]) {
        await board.line(pattern);
        // And the next one.
        await board.line(pattern, 10_000, board.lines.length);
      }
      const open = /ChannelOpen after (\d+ ms)/.exec(await caller.line(/ChannelOpen after/))[1];
      return `${caller.kind} dials ${served.kind}: channel open after ${open}, temperatures both ways`;
    },
  },
  {
    name: "Firefox",
    browser: "firefox",
    async run(t) {
      const tab = await t.connected();
      await tab.echo(100, 1024);
      await tab.upload(65_536);
      await tab.download(65_536);
      return `${t.browser.version}: 100 echoes, 64 KiB each way`;
    },
  },
];
