// Runs one test file in this process, as a page would: its scripts in the
// global scope, with the package's interfaces in it. What to run comes as JSON
// by the standard input; every result goes out as a line of JSON.
import { Buffer } from "node:buffer";
import process from "node:process";
import { runInThisContext } from "node:vm";

const isDeno = "Deno" in globalThis;
// Deno reads what a program names without being asked for a permission.
const picortc = isDeno ? await import("../../wasm/dist/deno.js") : await import("../../wasm/dist/node.js");
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const job = JSON.parse(Buffer.concat(chunks).toString());
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const define = (target, name, value) =>
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

for (const name of ["self", "window"]) define(globalThis, name, globalThis);
// By this name the harness of interfaces knows what should be exposed.
define(globalThis, "Window", class Window extends EventTarget {});
const url = new URL(`https://web-platform.test/${job.path}${job.search}`);
define(globalThis, "location", { href: url.href, origin: url.origin, pathname: url.pathname, search: url.search });
for (const [name, value] of Object.entries(picortc)) {
  if (name.startsWith("RTC")) define(globalThis, name, value);
}

// What there is not: the one who asks is told with a word that the report knows.
let touched = null;
class NotApplicable extends Error {
  constructor(what) {
    super(`[not applicable: ${what}]`);
    touched = what;
  }
}
const lacking = (what) => {
  throw new NotApplicable(what);
};
for (const name of ["MediaStream", "AudioContext", "OffscreenCanvas"]) {
  define(globalThis, name, class { constructor() { lacking(name); } });
}
for (const name of ["Worker", "SharedWorker"]) define(globalThis, name, class { constructor() { lacking("a worker"); } });
define(globalThis, "HTMLCanvasElement", class {});
const navigator = globalThis.navigator ?? {};
define(navigator, "mediaDevices", {
  getUserMedia: async () => lacking("getUserMedia"),
  getDisplayMedia: async () => lacking("getDisplayMedia"),
});
if (!globalThis.navigator) define(globalThis, "navigator", navigator);
// An offer to receive media is not an error, so it is noted.
const { createOffer } = picortc.RTCPeerConnection.prototype;
define(picortc.RTCPeerConnection.prototype, "createOffer", {
  createOffer(...args) {
    if (args.some((arg) => arg?.offerToReceiveAudio || arg?.offerToReceiveVideo)) touched = "an offer to receive media";
    return createOffer.apply(this, args);
  },
}.createOffer);
Object.defineProperty(picortc.RTCPeerConnection.prototype.createOffer, "length", { value: createOffer.length });
Object.defineProperty(picortc.RTCPeerConnection.prototype, "createOffer", { enumerable: true });

if (isDeno) {
  // The harness is told, and the process goes on.
  for (const type of ["error", "unhandledrejection"]) addEventListener(type, (event) => event.preventDefault());
} else {
  // Node has no events of its global object.
  const events = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
    define(globalThis, name, events[name].bind(events));
  }
  process.on("uncaughtException", (error) => dispatchEvent(Object.assign(new Event("error"), { error, message: String(error?.message ?? error) })));
  process.on("unhandledRejection", (reason) => dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason })));
}
if (typeof globalThis.FileReader !== "function") {
  define(globalThis, "FileReader", class FileReader extends EventTarget {
    result = null;
    readAsArrayBuffer(blob) {
      blob.arrayBuffer().then((buffer) => {
        this.result = buffer;
        const event = new Event("load");
        this.onload?.(event);
        this.dispatchEvent(event);
      });
    }
  });
}
const { fetch } = globalThis;
define(globalThis, "fetch", async (url, ...rest) => {
  const path = String(url);
  if (!path.startsWith("/")) return fetch(url, ...rest);
  const text = job.interfaces[path];
  return text === undefined ? new Response("", { status: 404 }) : new Response(text);
});

const [harness, ...scripts] = job.scripts;
runInThisContext(harness.code, { filename: harness.name });
// Only now: with a document the harness takes its place in a page.
define(globalThis, "document", {
  body: null,
  visibilityState: "visible",
  createElement: (name) => lacking(`a ${name} element`),
  getElementById: () => null,
  getElementsByTagName: () => [],
  getElementsByTagNameNS: () => [],
  querySelectorAll: () => [],
  querySelector: () => null,
  addEventListener() {},
  removeEventListener() {},
});

const STATUS = ["pass", "fail", "timeout", "not run", "precondition failed"];
const media = /\[not applicable: ([^\]]+)\]|(media is not supported yet)|((?:RTCRtp|RTCTrack|MediaStreamTrack)\w* is not defined)/;
const told = new Set();
function tell(test) {
  if (told.has(test)) return;
  told.add(test);
  const message = test.message ?? "";
  const lacks = media.exec(message);
  const status = STATUS[test.status];
  let reason = null;
  if (status !== "pass") {
    if (lacks) reason = lacks[1] ?? "media";
    else if (/^(RTCRtp|RTCTrackEvent|RTCDTMF|MediaStream)\w* interface\b/.test(test.name)) reason = "media";
    // Tests that run one after the other: what was asked for since the last
    // result was asked for by this one.
    else if (touched && job.serial) reason = touched;
  }
  touched = null;
  say({ name: test.name, status, message, reason });
}
globalThis.add_result_callback(tell);
globalThis.add_completion_callback((tests, status) => {
  // When the time is up, also those that had no turn.
  tests.forEach(tell);
  say({ end: true, status: status.status, message: status.message });
  setTimeout(() => process.exit(0), 20);
});
setTimeout(() => globalThis.timeout(), job.limit * 1000);
// Scripts that fail to start are the harness's to tell.
for (const { name, code } of scripts) {
  try {
    runInThisContext(code, { filename: name });
  } catch (error) {
    say({ broken: `${name}: ${error?.message ?? error}`, reason: media.exec(String(error?.message))?.[1] ?? null });
    break;
  }
}
setTimeout(() => globalThis.dispatchEvent(new Event("load")), 0);
