// What a checkout holds: its test files, the scripts of each, and why one is
// not for a runtime without media and without pages.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, posix } from "node:path";

const TEST = /(\.html|\.(window|any)\.js)$/;
const FOLDERS = ["tools", "third_party", "resources"];

/** The test files below `webrtc/`, as paths from the checkout's root. */
export function testFiles(checkout) {
  const found = [];
  const walk = (folder) => {
    for (const entry of readdirSync(join(checkout, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!FOLDERS.includes(entry.name)) walk(path);
      } else if (TEST.test(entry.name)) {
        found.push(path);
      }
    }
  };
  walk("webrtc");
  return found.sort();
}

const BY_NAME = [
  [/-manual\./, "wants a person"],
  [/-ref\.html$|-helper-test\.html$/, "not a test of WebRTC"],
  [/simulcast|RTCRtp|RTCTrackEvent|RTCDTMF|[tT]rack|[tT]ransceiver|addStream|-video|audio|codec|MediaStream|insertable/, "media"],
  [/getIdentityAssertion|peerIdentity/, "identity providers"],
  [/postMessage|-to-workers|iframe/, "another page or worker"],
];
const BY_TEXT = [
  [/<(video|audio|canvas)\b/i, "a media element"],
  [/<script[^>]*type=["']?module/i, "module scripts of a page"],
  [/<iframe\b/i, "an iframe"],
  [/testdriver\.js/, "a driver of a browser"],
  [/get-host-info|\.sub\.html/, "a server that fills in hosts"],
];

/** Why a test cannot run here, or null. */
export function notApplicable(path, text) {
  for (const [pattern, reason] of BY_NAME) if (pattern.test(posix.basename(path)) || /simulcast\//.test(path)) return reason;
  for (const [pattern, reason] of BY_TEXT) if (pattern.test(text)) return reason;
  return null;
}

// Of a page: its scripts in order, those in other files and those in line.
function pageScripts(text) {
  const scripts = [];
  for (const [, attributes, code] of text.replace(/<!--[\s\S]*?-->/g, "").matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/gi)) {
    const source = /\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i.exec(attributes);
    scripts.push(source ? { src: source[1] ?? source[2] ?? source[3] } : { code });
  }
  return scripts;
}

// Of a script: the harness, what its META lines name, and itself.
function bareScripts(text) {
  const named = [...text.matchAll(/^\/\/ META: script=(.*)$/gm)].map(([, src]) => ({ src: src.trim() }));
  return [{ src: "/resources/testharness.js" }, ...named, { code: text }];
}

/** All that a page needs to run one test file. */
export function load(checkout, path) {
  const text = readFileSync(join(checkout, path), "utf8");
  const reason = notApplicable(path, text);
  if (reason) return { reason };
  const missing = [];
  const scripts = (path.endsWith(".html") ? pageScripts(text) : bareScripts(text))
    .filter(({ src }) => !src?.endsWith("/testharnessreport.js"))
    .map(({ src, code }) => {
      if (src === undefined) return { name: path, code };
      const file = src.startsWith("/") ? src.slice(1) : posix.join(dirname(path), src);
      const clean = file.replace(/[?#].*$/, "");
      if (!existsSync(join(checkout, clean))) {
        missing.push(clean);
        return null;
      }
      return { name: clean, code: readFileSync(join(checkout, clean), "utf8") };
    });
  if (missing.length > 0) return { reason: `not in the checkout: ${missing.join(", ")}` };
  if (!scripts.some(({ name }) => name.endsWith("resources/testharness.js"))) return { reason: "not a test of the harness" };
  const variants = [...text.matchAll(/name=["']?variant["']?\s+content=["']([^"']*)["']|META: variant=(.*)$/gm)].map(([, page, bare]) => (page ?? bare).trim());
  if (variants.length === 0) variants.push("");
  return { scripts, variants, interfaces: interfaces(checkout, text), long: /name=["']?timeout["']?\s+content=["']?long|META: timeout=long/.test(text) };
}

// The IDL that an interface test fetches: every file that it names.
function interfaces(checkout, text) {
  if (!/\bidl_test\s*\(/.test(text)) return {};
  const names = new Set([...text.matchAll(/['"]([\w.-]+)['"]/g)].map(([, name]) => `interfaces/${name}.idl`));
  const there = [...names].filter((name) => existsSync(join(checkout, name)));
  return Object.fromEntries(there.map((name) => [`/${name}`, readFileSync(join(checkout, name), "utf8")]));
}
