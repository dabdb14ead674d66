// A stand-in for the native example, for `--self-test`: the same HTTP contract
// and the same lines, but its peers are tabs of another browser. What fails
// against it is the rig's fault.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { Lines } from "./example.mjs";
import { post } from "./signal.mjs";

const LIMIT = 1_048_576;

export class StandIn {
  static async start(browser, pageUrl, pageFile, address, args) {
    const standIn = new StandIn(browser, pageUrl, pageFile, args);
    await standIn.#listen(address);
    const to = standIn.#option("--offer-to");
    if (to) standIn.#offerTo(to).catch((error) => standIn.lines.push(`offer: ${error.message}`));
    return standIn;
  }

  lines = new Lines();
  #peers = new Map();
  #next = 1;

  constructor(browser, pageUrl, pageFile, args) {
    Object.assign(this, { browser, pageUrl, pageFile, args });
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  waitLine(pattern, ms) {
    return this.lines.wait(pattern, ms);
  }

  async stop() {
    for (const page of this.#peers.values()) await page.evaluate(() => standIn.goodbye()).catch(() => {});
    for (const page of this.#peers.values()) await page.close().catch(() => {});
    this.server.closeAllConnections();
    this.server.close();
    this.lines.end("ended (code 0)");
    this.finish(0);
    return 0;
  }

  async account() {
    const lists = await Promise.all([...this.#peers.values()].map((page) => page.evaluate(() => rig.account())));
    return lists.flat().map((line) => `    > ${line}`);
  }

  #option(name) {
    const at = this.args.indexOf(name);
    return at < 0 ? null : this.args[at + 1];
  }

  #listen(address) {
    this.server = createServer((request, response) => {
      this.#serve(request, response).catch((error) => {
        const status = error.status ?? 400;
        response.writeHead(status, { "content-type": "text/plain" }).end(`The offer is refused: ${error.message}\n`);
      });
    });
    return new Promise((resolve) => {
      this.server.listen(0, address, () => {
        const host = address.includes(":") ? `[${address}]` : address;
        this.url = `http://${host}:${this.server.address().port}/`;
        this.lines.push(this.url);
        resolve();
      });
    });
  }

  async #serve(request, response) {
    if (request.method === "GET") {
      return response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(readFileSync(this.pageFile));
    }
    const pieces = [];
    let size = 0;
    for await (const piece of request) {
      size += piece.length;
      if (size <= LIMIT) pieces.push(piece);
    }
    if (size > LIMIT) throw Object.assign(new Error("the offer is too long"), { status: 413 });
    const named = request.headers["x-peer"];
    if (named && !this.#peers.has(named)) throw Object.assign(new Error(`no peer ${named}`), { status: 404 });
    const peer = named ?? (await this.#peer());
    const sdp = Buffer.concat(pieces).toString();
    const answer = await this.#peers.get(peer).evaluate((offer) => standIn.answer(offer), sdp);
    response.writeHead(201, { "content-type": "application/sdp", "x-peer": peer }).end(answer);
  }

  async #offerTo(url) {
    const peer = await this.#peer();
    const page = this.#peers.get(peer);
    const offer = await page.evaluate((label) => standIn.offer(label), this.#option("--label") ?? "data");
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/sdp", "x-from-peer": peer },
      body: offer,
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    await page.evaluate((sdp) => rig.accept(sdp), await response.text());
  }

  async #peer() {
    const name = String(this.#next++);
    const page = await this.browser.page();
    this.#peers.set(name, page);
    await page.goto(this.pageUrl);
    const bulk = this.args.includes("--receive") ? "receive" : Number(this.#option("--send")) || "echo";
    const negotiated = this.args.flatMap((arg, i) => (arg === "--negotiated" ? [Number(this.args[i + 1])] : []));
    page.on("console", (message) => this.lines.push(message.text()));
    await page.evaluate(serve, bulk, negotiated);
    page
      .waitForFunction(() => standIn.gone(), { timeout: 0, polling: 50 })
      .then(() => {
        this.lines.push(`peer ${name} gone`);
        this.#peers.delete(name);
        return page.close();
      })
      .catch(() => {});
    return name;
  }
}

// Runs in the stand-in's tab.
function serve(bulk, negotiated) {
  let digest = null;
  rig.begin();
  const line = async (channel) => {
    const held = new Line(channel, () => {});
    rig.channels.set(channel.label, held);
    if (bulk === "echo") {
      channel.onmessage = ({ data }) => channel.send(data);
    } else if (bulk === "receive") {
      const total = Number((await held.next()).split(" ")[1]);
      digest = await sha256(await collect(held, total));
      console.log(`received ${total} bytes, ${await held.next()}`);
      channel.send(`sha256 ${digest}`);
    } else {
      await rig.opened(channel.label);
      const sent = await rig.bulkSend(channel.label, bulk);
      console.log(`sent ${bulk} bytes, sha256 ${sent.digest}`);
    }
  };
  rig.pc.ondatachannel = ({ channel }) => line(channel);
  window.standIn = {
    prepare() {
      for (const id of negotiated.splice(0)) line(rig.pc.createDataChannel(`negotiated ${id}`, { negotiated: true, id }));
    },
    async answer(sdp) {
      await rig.pc.setRemoteDescription({ type: "offer", sdp: standIn.keepRole(standIn.refuseMedia(sdp)) });
      standIn.prepare();
      await rig.pc.setLocalDescription(await rig.pc.createAnswer());
      return rig.gathered();
    },
    // A media section offered with port 0, and outside of the bundle, is rejected.
    refuseMedia(sdp) {
      const mids = [...sdp.matchAll(/^m=(?:audio|video) [^]*?^a=mid:(\S+)/gm)].map((found) => found[1]);
      const bundled = (line) => line.split(" ").filter((mid) => !mids.includes(mid)).join(" ");
      return sdp.replace(/^m=(audio|video) \d+/gm, "m=$1 0").replace(/^a=group:BUNDLE.*$/m, bundled);
    },
    // A DTLS association outlives an ICE restart, and so do its roles (RFC
    // 8842, 5.5), which not every browser remembers when it answers.
    keepRole(sdp) {
      const setup = (description) => /a=setup:(active|passive)/.exec(description?.sdp)?.[1];
      const { currentLocalDescription: ours, currentRemoteDescription: theirs } = rig.pc;
      const other = { active: "passive", passive: "active" };
      const kept = ours?.type === "answer" ? other[setup(ours)] : setup(theirs);
      return kept ? sdp.replace(/a=setup:actpass/g, `a=setup:${kept}`) : sdp;
    },
    offer(label) {
      standIn.prepare();
      line(rig.pc.createDataChannel(label));
      return rig.offer();
    },
    async goodbye() {
      for (const { channel } of rig.channels.values()) channel.close();
      await new Promise((resolve) => setTimeout(resolve, 500));
      rig.pc.close();
    },
    gone() {
      const ended = ["closed", "failed"];
      return ended.includes(rig.pc.connectionState) || ended.includes(rig.pc.sctp?.transport.state);
    },
  };
}
