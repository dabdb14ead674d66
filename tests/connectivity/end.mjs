// One end of a connection, run inside a namespace: the native example or a
// browser. Commands come as lines of JSON, answers go as lines of JSON.
//
//   ip netns exec SPACE node end.mjs '{"kind":"native","address":…}'
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { launch } from "../browsers/browser.mjs";
import { urlFor } from "../browsers/certificates.mjs";
import { Example } from "../browsers/example.mjs";
import { post } from "../browsers/signal.mjs";

const options = JSON.parse(process.argv[2]);

class Native {
  async #start(args) {
    const more = (options.servers ?? []).flatMap((url) => ["--ice-server", url]);
    if (options.servers) {
      more.push("--username", "user", "--credential", "secret", "--gather-ms", "20000", "--tls-ca", options.ca);
    }
    if (options.relayOnly) more.push("--relay-only");
    const all = [...args, ...more, ...(options.args ?? [])];
    this.example = await Example.start(options.binary, options.address, all);
  }

  async offer() {
    let give;
    const offered = new Promise((resolve) => (give = resolve));
    const server = createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      this.reply = (sdp) => response.writeHead(200, { "content-type": "application/sdp" }).end(sdp);
      give(Buffer.concat(pieces).toString());
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${server.address().port}/`;
    await this.#start(["--offer-to", url, "--label", "main", ...(options.bulk ? ["--send", options.bulk] : [])]);
    this.sdp = await offered;
    return { sdp: this.sdp };
  }

  async accept({ sdp }) {
    this.reply(sdp);
    return {};
  }

  async answer({ sdp }) {
    await this.#start(options.bulk ? ["--receive"] : []);
    const { answer } = await post(this.example.url, sdp);
    return { sdp: answer };
  }

  async opened({ ms }) {
    await this.example.waitLine(/ChannelOpen after/, ms);
    return { path: await this.path() };
  }

  // The last path that was told: one that is better may have come.
  async path() {
    await this.example.waitLine(/path \S+ -> \S+/, 1_000);
    const told = this.example.lines.seen.filter((line) => /path \S+ -> \S+/.test(line)).at(-1);
    const [, local, remote] = /path (\S+) -> (\S+)/.exec(told);
    return { local, remote };
  }

  async digest({ ms }) {
    const line = await this.example.waitLine(/sha256|[0-9a-f]{64}/, ms);
    return { digest: /[0-9a-f]{64}/.exec(line)?.[0] };
  }

  async seen() {
    return { seen: this.example.lines.seen };
  }

  async line({ pattern, ms }) {
    return { line: await this.example.waitLine(new RegExp(pattern), ms) };
  }

  // Stands still for a while, as a machine does that sleeps: when it goes on,
  // its clock has jumped.
  async sleep({ ms }) {
    this.example.child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.example.child.kill("SIGCONT");
    return {};
  }

  tail() {
    return { lines: this.example?.lines.tail(25) ?? "" };
  }

  end() {
    return this.example?.stop();
  }
}

class Browser {
  async #start() {
    this.browser = await launch(options.kind, "plain", { ca: options.ca, address: options.server });
    this.page = await this.browser.page();
    const servers = options.servers?.map((url) => urlFor(options.kind, url));
    await this.page.evaluate((servers, relayOnly) => {
      const iceServers = (servers ?? []).map((urls) => ({ urls, username: "user", credential: "secret" }));
      const pc = new RTCPeerConnection({ iceServers, iceTransportPolicy: relayOnly ? "relay" : "all" });
      Object.assign(globalThis, { pc, channel: null });
      const take = (channel) => {
        globalThis.channel = channel;
        channel.onmessage = ({ data }) => (globalThis.got = data);
      };
      pc.ondatachannel = (event) => take(event.channel);
      globalThis.make = () => take(pc.createDataChannel("main"));
      globalThis.whole = async () => {
        const until = Date.now() + 9_000;
        while (pc.iceGatheringState !== "complete" && Date.now() < until) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return pc.localDescription.sdp;
      };
    }, servers, options.relayOnly ?? false);
  }

  async offer() {
    await this.#start();
    const sdp = await this.page.evaluate(async () => {
      globalThis.make();
      await globalThis.pc.setLocalDescription();
      return globalThis.whole();
    });
    return { sdp };
  }

  async accept({ sdp }) {
    await this.page.evaluate((text) => globalThis.pc.setRemoteDescription({ type: "answer", sdp: text }), sdp);
    return {};
  }

  async answer({ sdp }) {
    await this.#start();
    const answer = await this.page.evaluate(async (text) => {
      await globalThis.pc.setRemoteDescription({ type: "offer", sdp: text });
      await globalThis.pc.setLocalDescription();
      return globalThis.whole();
    }, sdp);
    return { sdp: answer };
  }

  // Open, and a message came back.
  async opened({ ms }) {
    const path = await this.page.evaluate(async (limit) => {
      const { pc } = globalThis;
      const until = Date.now() + limit;
      const wait = async (done, what) => {
        while (!done()) {
          if (Date.now() > until) throw new Error(`${what}: ICE ${pc.iceConnectionState}, ${pc.connectionState}`);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };
      await wait(() => globalThis.channel?.readyState === "open", "no channel");
      globalThis.channel.send("echo");
      await wait(() => globalThis.got === "echo", "no echo");
      const stats = [...(await pc.getStats()).values()];
      const chosen = stats.find((s) => s.type === "transport")?.selectedCandidatePairId;
      const pair =
        stats.find((s) => s.id === chosen) ??
        stats.find((s) => s.type === "candidate-pair" && s.nominated && s.selected !== false && s.state === "succeeded");
      const candidate = (id) => stats.find((s) => s.id === id);
      return { localType: candidate(pair.localCandidateId).candidateType, remoteType: candidate(pair.remoteCandidateId).candidateType };
    }, ms);
    return { path };
  }

  tail() {
    return { lines: "" };
  }

  end() {
    return this.browser?.close();
  }
}

const end = options.kind === "native" ? new Native() : new Browser();
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
let ending = false;
async function finish() {
  if (ending) return;
  ending = true;
  await Promise.resolve(end.end()).catch(() => {});
  process.exit(0);
}
process.on("SIGTERM", finish);
process.on("unhandledRejection", () => {});
for await (const line of createInterface({ input: process.stdin })) {
  const { verb, id, ...args } = JSON.parse(line);
  try {
    say({ id, ...(await end[verb](args)) });
  } catch (error) {
    say({ id, error: error.message, lines: end.tail().lines });
  }
}
await finish();
