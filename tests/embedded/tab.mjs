// A tab with the device's own page. What a test does beyond the page's buttons
// is done with the page's own connection (`session`).

// Loads what the tests need into the page. Runs there.
function helpers() {
  const lines = new Map();
  const later = (ms, what) => new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms));
  // FIPS 180-4; `crypto.subtle` is for pages of https only.
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  const K = primes.map((p) => fraction(Math.cbrt(p)));
  window.sha256 = (bytes) => {
    const padded = new DataView(new ArrayBuffer(((bytes.length + 8) >> 6 << 6) + 64));
    new Uint8Array(padded.buffer).set(bytes);
    padded.setUint8(bytes.length, 0x80);
    padded.setUint32(padded.byteLength - 4, bytes.length * 8);
    const h = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
    const w = new Int32Array(64);
    const right = (x, n) => (x >>> n) | (x << (32 - n));
    for (let at = 0; at < padded.byteLength; at += 64) {
      for (let i = 0; i < 64; i += 1) {
        if (i < 16) w[i] = padded.getInt32(at + i * 4);
        else {
          const [a, b] = [w[i - 15], w[i - 2]];
          w[i] = w[i - 16] + w[i - 7] + (right(a, 7) ^ right(a, 18) ^ (a >>> 3)) + (right(b, 17) ^ right(b, 19) ^ (b >>> 10));
        }
      }
      let [a, b, c, d, e, f, g, x] = h;
      for (let i = 0; i < 64; i += 1) {
        const t1 = (x + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const t2 = ((right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [x, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
      }
      [a, b, c, d, e, f, g, x].forEach((v, i) => (h[i] = (h[i] + v) | 0));
    }
    return h.map((v) => (v >>> 0).toString(16).padStart(8, "0")).join("");
  };
  // A channel and the queue of its messages.
  window.line = (label, ms = 60_000) => {
    const channel = session.pc.createDataChannel(label);
    channel.binaryType = "arraybuffer";
    const line = { channel, queue: [], waiting: null };
    channel.onmessage = ({ data }) => {
      if (line.waiting) line.waiting(data);
      else line.queue.push(data);
    };
    line.next = () =>
      line.queue.length
        ? Promise.resolve(line.queue.shift())
        : Promise.race([
            new Promise((resolve) => (line.waiting = (data) => ((line.waiting = null), resolve(data)))),
            later(ms, `message on ${label}`),
          ]);
    lines.set(label, line);
    const opened = new Promise((resolve) => (channel.onopen = () => resolve(line)));
    return Promise.race([opened, later(ms, `channel ${label}`)]);
  };
  window.noise = (length, seed) => {
    const words = new Uint32Array(Math.ceil(length / 4));
    let x = seed || 1;
    for (let i = 0; i < words.length; i += 1) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[i] = x;
    }
    return new Uint8Array(words.buffer).slice(0, length);
  };
}

export class Tab {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  static async open(browser, url) {
    const page = await browser.page();
    await page.goto(url);
    await page.evaluate(helpers);
    return new Tab(page, url);
  }

  // Connects as a person does: types the PIN and presses the button.
  async connect(pin, ms = 60_000) {
    await this.page.evaluate((pin) => {
      document.getElementById("pin").value = pin;
      document.getElementById("connect").click();
    }, pin);
    await this.page.waitForFunction(
      () => document.getElementById("problem").textContent || session?.device.readyState === "open",
      { timeout: ms },
    );
    return this.problem();
  }

  problem() {
    return this.page.evaluate(() => document.getElementById("problem").textContent);
  }

  async disconnect() {
    await this.page.evaluate(() => session && document.getElementById("connect").click());
  }

  // What the device says of itself.
  status() {
    return this.page.evaluate(async () => {
      const said = new Promise((resolve) =>
        session.device.addEventListener("message", ({ data }) => data.startsWith("status") && resolve(data)),
      );
      session.device.send("status");
      const [, heap, peers] = /heap (\d+) peers (\d+)/.exec(await said);
      return { heap: Number(heap), peers: Number(peers) };
    });
  }

  // Digests as text, and octets of many lengths, sent back; compared by digest.
  echo(count, longest) {
    return this.page.evaluate(
      async (count, longest) => {
        const line = await window.line(`echo ${performance.now()}`);
        const [sent, back] = [[], []];
        const limit = Math.min(longest, session.pc.sctp.maxMessageSize);
        for (let i = 0; i < count; i += 1) {
          const octets = noise((i * 37) % (limit + 1), i + 1);
          const text = i % 3 === 0;
          const message = text ? sha256(octets) : octets;
          line.channel.send(message);
          const answer = await line.next();
          if (typeof answer !== (text ? "string" : "object")) throw new Error(`message ${i} came back as another kind`);
          sent.push(text ? message : sha256(message));
          back.push(text ? answer : sha256(new Uint8Array(answer)));
        }
        line.channel.close();
        if (sent.join() !== back.join()) throw new Error("a message came back changed");
        return sent.length;
      },
      count,
      longest,
    );
  }

  // `total` octets to the device; it says the digest of what it got.
  upload(total) {
    return this.page.evaluate(async (total) => {
      const line = await window.line("bulk", 120_000);
      const data = noise(total, 7);
      const digest = sha256(data);
      const since = performance.now();
      const { channel } = line;
      channel.bufferedAmountLowThreshold = 16384;
      channel.send(`bytes ${total}`);
      const piece = Math.min(1024, session.pc.sctp.maxMessageSize);
      for (let at = 0; at < total; at += piece) {
        if (channel.bufferedAmount > 65536) await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
        channel.send(data.subarray(at, at + piece));
      }
      channel.send(`sha256 ${digest}`);
      const reply = await line.next();
      channel.close();
      if (reply !== `sha256 ${digest}`) throw new Error(`the device got something else: ${reply}`);
      return (total * 8) / 1000 / (performance.now() - since);
    }, total);
  }

  // `total` octets from the device, with its digest at the end.
  download(total) {
    return this.page.evaluate(async (total) => {
      const line = await window.line("bulk", 120_000);
      const since = performance.now();
      line.channel.send(`send ${total}`);
      const first = await line.next();
      if (first !== `bytes ${total}`) throw new Error(`expected the length first, got ${first}`);
      const data = new Uint8Array(total);
      let at = 0;
      while (at < total) {
        const octets = new Uint8Array(await line.next());
        data.set(octets, at);
        at += octets.length;
      }
      const took = performance.now() - since;
      const theirs = await line.next();
      line.channel.close();
      if (theirs !== `sha256 ${sha256(data)}`) throw new Error("the digests differ");
      return (total * 8) / 1000 / took;
    }, total);
  }

  // An ICE restart, and a message over what it found.
  async restart() {
    await this.page.evaluate(() => restart());
    return this.page.evaluate(async () => {
      const fragment = /^a=ice-ufrag:(\S+)/m.exec(session.pc.localDescription.sdp)[1];
      for (const from = performance.now(); ; await new Promise((resolve) => setTimeout(resolve, 50))) {
        const report = await session.pc.getStats();
        const found = [...report.values()].some(
          (s) => s.type === "candidate-pair" && s.nominated && s.state === "succeeded" && report.get(s.localCandidateId)?.usernameFragment === fragment,
        );
        if (found) return;
        if (performance.now() - from > 30_000) throw new Error("no pair of the restarted session within 30 s");
      }
    });
  }

  close() {
    return this.page.close();
  }
}
