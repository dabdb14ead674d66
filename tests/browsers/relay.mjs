// Browsers that may use nothing but a relay, against the native example that
// may use nothing else either, and ICE over TCP: 16 MiB there and back.
//
//   node relay.mjs ADDRESS PORT TLS-PORT CA-FILE [--browser NAME] [--only PATTERN]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BROWSERS, launch } from "./browser.mjs";
import { urlFor } from "./certificates.mjs";
import { Example } from "./example.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    browser: { type: "string", multiple: true, default: BROWSERS },
    only: { type: "string", default: "." },
  },
});
const [address, port, tlsPort, ca] = positionals;
const BINARY = fileURLToPath(new URL("../../target/release/examples/data-channels", import.meta.url));
const MIB = 1_048_576;
const URLS = {
  udp: `turn:${address}:${port}?transport=udp`,
  tcp: `turn:${address}:${port}?transport=tcp`,
  tls: `turns:${address}:${tlsPort}?transport=tcp`,
};

// Runs in the page that the example serves.
async function transfer(configuration, total) {
  const pc = new RTCPeerConnection(configuration);
  const errors = [];
  pc.onicecandidateerror = (e) => errors.push(`${e.errorCode} ${e.errorText}`);
  const channel = pc.createDataChannel("relay");
  channel.binaryType = "arraybuffer";
  const opened = new Promise((resolve) => (channel.onopen = resolve));
  await pc.setLocalDescription(await pc.createOffer());
  await new Promise((resolve) => {
    const look = () => pc.iceGatheringState === "complete" && resolve();
    pc.onicegatheringstatechange = look;
    look();
  });
  const offer = pc.localDescription.sdp;
  if (configuration.iceTransportPolicy && !/ typ relay/.test(offer)) throw new Error(`the browser has no relayed candidate: ${errors.join(", ")}`);
  const response = await fetch("/offer", { method: "POST", headers: { "content-type": "application/sdp" }, body: offer });
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  await pc.setRemoteDescription({ type: "answer", sdp: answer });
  const types = [...answer.matchAll(/a=candidate:.* typ (\w+)/g)].map(([, type]) => type);
  await opened;
  // Every message comes back as it was, in order.
  const piece = 16_384;
  const word = (n) => Math.imul(n + 1, 2_654_435_761) >>> 0;
  let back = 0;
  const done = new Promise((resolve, reject) => {
    channel.onmessage = ({ data }) => {
      const words = new Uint32Array(data);
      for (let i = 0; i < words.length; i += 1) {
        if (words[i] !== word(back / 4 + i)) return reject(new Error(`octet ${back + 4 * i} is another`));
      }
      back += data.byteLength;
      if (back === total) resolve();
    };
    channel.onclose = () => reject(new Error(`closed after ${back} octets`));
  });
  const started = performance.now();
  channel.bufferedAmountLowThreshold = 65_536;
  for (let at = 0; at < total; at += piece) {
    if (channel.bufferedAmount > 262_144) await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
    channel.send(Uint32Array.from({ length: piece / 4 }, (_, i) => word(at / 4 + i)));
  }
  await done;
  const seconds = (performance.now() - started) / 1_000;
  const report = [...(await pc.getStats()).values()];
  const pair = report.find((s) => s.type === "candidate-pair" && s.nominated && s.state === "succeeded");
  const local = report.find((s) => s.id === pair.localCandidateId);
  const remote = report.find((s) => s.id === pair.remoteCandidateId);
  channel.onclose = null;
  pc.close();
  return { types, pair: `${local.candidateType} (${local.relayProtocol ?? local.protocol}) ${remote.candidateType} ${remote.protocol}`, seconds };
}

// What each case configures the browser and the example with, and the pair
// that must come of it.
const LOGIN = ["--username", "user", "--credential", "password", "--tls-ca", ca];
const CASES = [
  ...Object.entries(URLS).map(([transport, url]) => ({
    name: `relay-only/${transport}`,
    configuration: {
      iceServers: [{ urls: url, username: "user", credential: "password" }],
      iceTransportPolicy: "relay",
    },
    args: ["--ice-server", url, ...LOGIN, "--relay-only"],
    types: ["relay"],
    pair: new RegExp(`^relay \\(${transport}\\) relay udp$`),
  })),
  {
    name: "ice-tcp",
    configuration: {},
    args: ["--tcp", "--no-udp"],
    types: ["host"],
    pair: /^(host|prflx) .* host tcp$/,
  },
];

const count = { passed: 0, failed: 0 };
for (const name of options.browser) {
  const browser = await launch(name, "plain", { ca, address });
  for (const test of CASES) {
    const label = `${name}/${test.name}`;
    if (!new RegExp(options.only).test(label)) continue;
    const example = await Example.start(BINARY, address, test.args);
    const page = await browser.page();
    try {
      await page.goto(example.url);
      const { types, pair, seconds } = await within(90_000, page.evaluate(transfer, configured(name, test.configuration), 16 * MIB));
      if (types.some((type) => !test.types.includes(type)) || !types.length) throw new Error(`the answer has ${types}`);
      if (!test.pair.test(pair)) throw new Error(`the pair is ${pair}`);
      console.log(`ok ${label} (16 MiB there and back, pair ${pair}, ${seconds.toFixed(1)} s)`);
      count.passed += 1;
    } catch (error) {
      console.log(`FAIL ${label}: ${error.message}`);
      console.log(example.lines.tail());
      count.failed += 1;
    } finally {
      await page.close();
      await example.stop();
    }
  }
  await browser.close();
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed || !count.passed ? 1 : 0;

function configured(browser, { iceServers, ...more }) {
  return { ...more, iceServers: iceServers?.map((server) => ({ ...server, urls: urlFor(browser, server.urls) })) };
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
