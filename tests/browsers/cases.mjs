// What must hold between a real browser and the native example. A case fails
// by throwing; what it returns is the figure printed beside its name.
import { launch } from "./browser.mjs";
import { forgeFingerprint, post, SignalError, ufrag } from "./signal.mjs";

const MIB = 1_048_576;
const BULK = 64 * MIB;

// `only.offerer` restricts a case to one way round, `once` to one DTLS role,
// `browsers` to some of them.
// `addresses` is how the browser is started.
export const CASES = [
  {
    name: "text",
    async run(t) {
      const tab = await t.connect();
      const count = await tab.call("echo", "main", [
        { text: "hello" },
        { text: "x" },
        { text: "Grüße, 世界 🦀" },
        { textLength: 20_000 },
      ]);
      return `${count} messages, ${await security(t, tab)}`;
    },
  },
  {
    name: "binary",
    async run(t) {
      const tab = await t.connect();
      const sizes = [1, 2, 3, 1_000, 1_200, 1_201, 16_384, 65_535, 65_536];
      return `${await tab.call("echo", "main", sizes.map((binary) => ({ binary })))} messages`;
    },
  },
  {
    name: "empty",
    async run(t) {
      const tab = await t.connect();
      const list = [{ text: "" }, { binary: 0 }, { text: "between" }, { binary: 0 }, { text: "" }];
      return `${await tab.call("echo", "main", list)} messages`;
    },
  },
  {
    name: "256-kib",
    async run(t) {
      const tab = await t.connect();
      await tab.call("echo", "main", [{ binary: 262_144 }, { textLength: 262_144 }, { binary: 262_143 }]);
      const { maxMessage } = await tab.call("stats");
      expect(maxMessage === undefined || maxMessage === null || maxMessage >= 262_144, `max-message-size ${maxMessage}`);
      return `max-message-size ${maxMessage ?? "unbounded"}`;
    },
  },
  channelCase("unordered", { ordered: false }, 200),
  channelCase("no-retransmits", { maxRetransmits: 0 }, 50),
  channelCase("unordered-3-retransmits", { ordered: false, maxRetransmits: 3, protocol: "rig" }, 50),
  channelCase("lifetime", { ordered: false, maxPacketLifeTime: 3_000 }, 50),
  {
    name: "negotiated",
    async run(t) {
      const tab = await t.connect({ args: ["--negotiated", "7", "--negotiated", "512"] });
      for (const id of [7, 512]) {
        await tab.call("channel", `by-hand-${id}`, { negotiated: true, id });
        await tab.call("opened", `by-hand-${id}`);
        await tab.call("echo", `by-hand-${id}`, [{ text: `id ${id}` }, { binary: 5_000 }]);
      }
      return "ids 7 and 512";
    },
  },
  {
    name: "100-channels",
    async run(t) {
      const tab = await t.connect();
      return tab.page.evaluate(async () => {
        const labels = Array.from({ length: 100 }, (_, i) => `c${i}`);
        for (const label of labels) rig.channel(label);
        await Promise.all(labels.map((label) => rig.opened(label)));
        await Promise.all(labels.map((label) => rig.echo(label, [{ text: `from ${label}` }, { binary: 2_000 }])));
        const ids = new Set(labels.map((label) => rig.describe(label).id));
        if (ids.size !== 100) throw new Error(`${ids.size} ids for 100 channels`);
        return `ids ${Math.min(...ids)} to ${Math.max(...ids)}`;
      });
    },
  },
  {
    name: "reopen",
    async run(t) {
      const tab = await t.connect();
      const ids = [];
      for (let round = 0; round < 5; round += 1) {
        await tab.call("channel", "again", { ordered: round % 2 === 0 });
        ids.push((await tab.call("opened", "again")).id);
        await tab.call("echo", "again", [{ text: `round ${round}` }, { binary: 3_000 }]);
        await tab.call("close", "again");
      }
      await tab.call("echo", "main", [{ text: "undisturbed" }]);
      return `ids ${ids.join(" ")}`;
    },
  },
  {
    name: "many-tabs",
    only: { offerer: "browser" },
    once: true,
    async run(t) {
      const tabs = await Promise.all(Array.from({ length: 8 }, () => t.connect()));
      await Promise.all(
        tabs.map((tab, i) => tab.call("echo", "main", [{ text: `tab ${i}` }, { binary: 50_000 + i }])),
      );
      expect(new Set(tabs.map((tab) => tab.peer)).size === 8, "peers share a name");
      return "8 tabs on one socket";
    },
  },
  {
    name: "tab-gone",
    timeout: 90_000,
    async run(t) {
      const other = t.mode.offerer === "browser" ? await t.connect() : null;
      const tab = await t.connect();
      await tab.call("echo", "main", [{ text: "still here" }]);
      const { example, peer } = tab;
      const started = Date.now();
      await tab.close();
      await example.waitLine(new RegExp(`^peer ${peer} gone`), 60_000);
      const seconds = ((Date.now() - started) / 1_000).toFixed(1);
      if (other) {
        await other.call("echo", "main", [{ text: "the others carry on" }, { binary: 100_000 }]);
        const offer = await other.call("offer");
        await expectRefusal(post(example.url, offer, peer), "an offer for a peer that is gone");
      }
      return `noticed after ${seconds} s`;
    },
  },
  {
    name: "browser-killed",
    only: { offerer: "browser" },
    once: true,
    timeout: 120_000,
    async run(t) {
      const other = await t.connect();
      const browser = await launch(t.browser.name, "plain");
      let killed = false;
      try {
        const tab = await t.connect({ browser });
        await tab.call("echo", "main", [{ text: "still here" }]);
        killed = true;
        const started = Date.now();
        await browser.kill();
        await tab.example.waitLine(new RegExp(`^peer ${tab.peer} gone`), 75_000);
        const seconds = ((Date.now() - started) / 1_000).toFixed(1);
        await other.call("echo", "main", [{ text: "the others carry on" }, { binary: 100_000 }]);
        return `silence noticed after ${seconds} s`;
      } finally {
        if (!killed) await browser.close();
      }
    },
  },
  {
    name: "goodbye",
    async run(t) {
      const tab = await t.connect();
      await tab.call("echo", "main", [{ text: "bye" }]);
      const started = Date.now();
      await tab.page.evaluate(() => rig.pc.close());
      await tab.example.waitLine(new RegExp(`^peer ${tab.peer} gone`), 20_000);
      return `close() noticed after ${Date.now() - started} ms`;
    },
  },
  {
    name: "ctrl-c",
    async run(t) {
      const tab = await t.connect({ args: [] });
      await tab.call("channel", "second");
      await tab.call("opened", "second");
      const started = Date.now();
      const [code] = await Promise.all([
        tab.example.stop(),
        tab.call("closed", "main", 10_000),
        tab.call("closed", "second", 10_000),
      ]);
      expect(code === 0, `the example ended with code ${code}`);
      return `channels closed within ${Date.now() - started} ms`;
    },
  },
  {
    name: "renegotiate",
    async run(t) {
      const tab = await t.connect();
      const before = ufrag(tab.got);
      await tab.renegotiate();
      await tab.call("channel", "later");
      const { answer } = await tab.renegotiate();
      await tab.call("opened", "later");
      await tab.call("echo", "later", [{ text: "new channel" }]);
      await tab.call("echo", "main", [{ text: "old channel" }, { binary: 30_000 }]);
      expect(ufrag(answer) === before, `ufrag ${before} became ${ufrag(answer)} without a restart`);
      const { signalingState } = await tab.call("state");
      expect(signalingState === "stable", `signalling is ${signalingState}`);
      return "2 further offers";
    },
  },
  {
    name: "ice-restart",
    async run(t) {
      const tab = await t.connect();
      const before = ufrag(tab.got);
      const [{ answer }] = await Promise.all([
        tab.renegotiate({ restart: true }),
        tab.call("echo", "main", Array.from({ length: 40 }, () => ({ binary: 9_000 }))),
      ]);
      expect(ufrag(answer) !== before, `the example's ufrag is still ${before}`);
      await tab.call("restarted");
      await tab.call("echo", "main", [{ text: "after the restart" }, { binary: 50_000 }]);
      return `under traffic, ufrag ${before} to ${ufrag(answer)}`;
    },
  },
  {
    name: "forged-fingerprint-of-the-browser",
    run: (t) => refusedCase(t, { toExample: forgeFingerprint }),
  },
  {
    name: "forged-fingerprint-of-ours",
    run: (t) => refusedCase(t, { toBrowser: forgeFingerprint }),
  },
  {
    name: "audio-offered-first",
    only: { offerer: "browser" },
    async run(t) {
      const tab = await t.connect({ audioFirst: true });
      await tab.call("echo", "main", [{ text: "data without media" }]);
      const kinds = tab.got.match(/^m=.*$/gm).map((line) => line.split(" ").slice(0, 2).join(" "));
      expect(kinds.length === 2 && kinds[0] === "m=audio 0", `answered ${kinds.join(", ")}`);
      return kinds.join(", ");
    },
  },
  {
    name: "plain-addresses",
    once: true,
    async run(t) {
      const tab = await t.connect();
      const plain = candidates(tab.sent).filter((address) => !address.endsWith(".local"));
      expect(plain.length > 0, "the browser sent no candidate with an address");
      await tab.call("echo", "main", [{ text: "plain" }]);
      return `${plain.length} candidates`;
    },
  },
  {
    // A browser that leaves out the hybrid group.
    name: "dtls-classical",
    addresses: "classical",
    async run(t) {
      const tab = await t.connect();
      await tab.call("echo", "main", [{ text: "classical" }, { binary: 20_000 }]);
      return security(t, tab, { version: "FEFC", group: "x25519" });
    },
  },
  {
    // A browser that has no DTLS 1.3.
    name: "dtls-1.2-there",
    addresses: "dtls-1.2",
    browsers: ["firefox"],
    async run(t) {
      const tab = await t.connect();
      await tab.call("echo", "main", [{ text: "1.2" }, { binary: 20_000 }]);
      return security(t, tab, { version: "FEFD" });
    },
  },
  {
    // We have no DTLS 1.3.
    name: "dtls-1.2-here",
    async run(t) {
      const tab = await t.connect({ args: ["--dtls", "1.2"] });
      await tab.call("echo", "main", [{ text: "1.2" }, { binary: 20_000 }]);
      return security(t, tab, { version: "FEFD" });
    },
  },
  {
    name: "mdns-candidates",
    addresses: "default",
    async run(t) {
      const tab = await t.connect();
      const names = candidates(tab.sent).filter((address) => address.endsWith(".local"));
      expect(names.length > 0, "the browser sent no mDNS candidate");
      await tab.call("echo", "main", [{ text: "default settings" }, { binary: 262_144 }, { text: "" }]);
      return `${names.length} candidates, ${await security(t, tab)}`;
    },
  },
  {
    // We are told names only, and the browser is told no address of ours: that
    // it is reached at all shows that its name was looked up.
    //
    // Chromium as answerer is left out: asked by an offer without candidates
    // it publishes 0.0.0.0 now and then.
    name: "mdns-looked-up",
    addresses: "default",
    only: { offerer: "browser" },
    once: true,
    async run(t) {
      const tab = await t.connect({ args: ["--mdns", "query"], toBrowser: withoutCandidates });
      expect(candidates(tab.sent).every((address) => address.endsWith(".local")), "the browser showed an address");
      await tab.call("echo", "main", [{ text: "found" }, { binary: 100_000 }]);
      return candidates(tab.sent).join(" ");
    },
  },
  {
    // The other way round: the browser has to find us by the name that we publish.
    name: "mdns-published",
    addresses: "default",
    once: true,
    async run(t) {
      const tab = await t.connect({ args: ["--mdns", "gather"], toExample: withoutCandidates });
      const names = candidates(tab.got);
      expect(names.length > 0 && names.every((address) => address.endsWith(".local")), `we showed ${names}`);
      await tab.call("echo", "main", [{ text: "found" }, { binary: 100_000 }]);
      return names.join(" ");
    },
  },
  {
    name: "ipv6",
    once: true,
    async run(t) {
      if (!t.rig.address6) return { skip: "this machine has no IPv6 address of its own" };
      const tab = await t.connect({ args: [], address: t.rig.address6 });
      await tab.call("echo", "main", [{ text: "six" }, { binary: 100_000 }]);
      return t.rig.address6;
    },
  },
  {
    name: "64-mib-to-example",
    timeout: 300_000,
    async run(t) {
      const tab = await t.connect({ args: ["--receive"] });
      const { digest, reply, mbits } = await tab.call("bulkSend", "main", BULK);
      expect(reply === `sha256 ${digest}`, `sent ${digest}, the example has ${reply}`);
      await tab.example.waitLine(new RegExp(digest), 5_000);
      return `${mbits} Mbit/s, sha256 ${digest.slice(0, 16)}…`;
    },
  },
  {
    name: "64-mib-from-example",
    timeout: 300_000,
    async run(t) {
      const tab = await t.connect({ args: ["--send", String(BULK)] });
      const { total, digest, last, mbits } = await tab.call("bulkReceive", "main");
      expect(total === BULK, `announced ${total} bytes`);
      expect(last === `sha256 ${digest}`, `received ${digest}, the example says ${last}`);
      await tab.example.waitLine(new RegExp(digest), 5_000);
      return `${mbits} Mbit/s, sha256 ${digest.slice(0, 16)}…`;
    },
  },
  {
    name: "64-mib-echoed",
    timeout: 300_000,
    once: true,
    async run(t) {
      const tab = await t.connect();
      const { digest, back, mbits } = await tab.call("bulkEcho", "main", BULK);
      expect(back === digest, `sent ${digest}, came back as ${back}`);
      return `${mbits} Mbit/s each way at once`;
    },
  },
  {
    name: "refusals",
    only: { offerer: "browser" },
    once: true,
    async run(t) {
      const { url } = await t.rig.shared();
      const tab = await t.tab();
      await tab.call("channel", "main");
      const offer = await tab.call("offer");
      await expectRefusal(post(url, "this is not SDP"), "rubbish");
      await expectRefusal(post(url, ""), "an empty offer");
      await expectRefusal(post(url, offer.replace(/a=fingerprint:.*\r\n/g, "")), "an offer without a fingerprint");
      await expectRefusal(post(url, offer.replace(/a=ice-ufrag:.*\r\n/g, "")), "an offer without credentials");
      await expectRefusal(post(url, offer, "no-such-peer"), "a peer that is not known");
      await expectRefusal(post(url, "v=0\r\n".repeat(500_000)), "2.5 MB of SDP");
      return "6 bad offers refused in words";
    },
  },
  {
    name: "page",
    only: { offerer: "browser" },
    once: true,
    timeout: 60_000,
    run: (t) => pageCase(t),
  },
];

// Echo on a channel with the given options, which must not be changed.
function channelCase(name, init, count) {
  return {
    name,
    async run(t) {
      const tab = await t.connect();
      await tab.call("channel", name, init);
      await tab.call("opened", name);
      const list = Array.from({ length: count }, (_, i) => ({ binary: 1 + ((i * 337) % 4_000) }));
      // In handfuls, so that a queue of unreliable messages never lies long.
      for (let at = 0; at < count; at += 10) await tab.call("echo", name, list.slice(at, at + 10));
      const { ordered } = await tab.call("describe", name);
      return `${count} messages, ${ordered ? "ordered" : "unordered"}`;
    },
  };
}

async function refusedCase(t, change) {
  const tab = await t.connect({ ...change, open: false });
  const seen = await tab.call("refused", "main", 8_000);
  expect(seen.ice, "ICE did not connect, so nothing was shown about DTLS");
  // A client of DTLS 1.3 is connected when it has sent its certificate, before
  // the server has looked at it: what counts then is that it does not last.
  const lasted = seen.open || !["failed", "closed"].includes(seen.ended);
  const early = seen.connected && !change.toExample;
  expect(!lasted && !early, `connected all the same (${JSON.stringify(seen)})`);
  return `ICE connected, then ${seen.ended}`;
}

// The example's own page, used as a person would.
async function pageCase(t) {
  const { url } = await t.rig.shared();
  const page = await t.browser.page();
  try {
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    await page.click("#connect");
    await page.waitForSelector("#say:enabled", { timeout: 20_000 });
    await page.type("#text", "is anybody there?");
    await page.click("#say");
    await page.waitForFunction(() => document.querySelectorAll("#log .theirs").length > 0, { timeout: 10_000 });
    const states = await page.$$eval("#states dd", (cells) => cells.map((cell) => cell.textContent));
    await page.click("#test");
    await page.waitForFunction(() => Number(document.querySelector("#down").textContent) > 0, { timeout: 20_000 });
    const down = await page.$eval("#down", (cell) => cell.textContent);
    await page.click("#test");
    expect(complaints.length === 0, complaints.join("; "));
    return `${states.join(", ")}; ${down} Mbit/s`;
  } finally {
    await page.close();
  }
}

// The negotiated security, by the browser's getStats and by the example's,
// which must agree, with the DTLS role checked where it can be seen; both are
// told. Browsers speak DTLS 1.3 with the hybrid group, unless they are told
// otherwise.
async function security(t, tab, expected = { version: "FEFC", group: "X25519MLKEM768" }) {
  const { dtlsRole, tlsVersion, dtlsCipher, tlsGroup } = await tab.call("stats");
  const theirs = { version: tlsVersion?.toUpperCase(), cipher: dtlsCipher, group: tlsGroup, role: dtlsRole };
  if (theirs.role) expect(theirs.role === t.mode.role, `the browser is DTLS ${theirs.role}, not ${t.mode.role}`);
  const names = { FEFC: "DTLS 1.3", FEFD: "DTLS 1.2" };
  const told = ({ version, cipher, group, role }) =>
    [names[version] ?? version, cipher, group, role].filter(Boolean).join(" ") || "nothing";
  const ours = await tab.example.negotiated?.(tab.peer);
  if (!ours) return `there ${told(theirs)}`;
  for (const key of ["version", "cipher", "group"]) {
    const [there, here] = [theirs[key], ours[key]];
    if (there) expect(there.toLowerCase() === here.toLowerCase(), `${key} ${there} there, ${here} here`);
  }
  expect(ours.role !== t.mode.role, `both are DTLS ${ours.role}`);
  expect(ours.version === expected.version, `${names[ours.version]} was negotiated, not ${names[expected.version]}`);
  if (expected.group) expect(ours.group === expected.group, `${ours.group} was negotiated, not ${expected.group}`);
  return `there ${told(theirs)}; here ${told(ours)}`;
}

async function expectRefusal(promise, what) {
  try {
    await promise;
  } catch (error) {
    expect(error instanceof SignalError, `${what}: ${error.message}`);
    expect(error.status >= 400 && error.status < 500, `${what} was answered ${error.status}`);
    expect(/\w+ \w+/.test(error.message.replace(/^POST \/offer: \d+/, "")), `${what} was refused without words`);
    return;
  }
  throw new Error(`${what} was accepted`);
}

function withoutCandidates(sdp) {
  return sdp.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, "");
}

function candidates(sdp) {
  return [...sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+)/gm)].map((found) => found[1]);
}

function expect(holds, why) {
  if (!holds) throw new Error(why);
}
