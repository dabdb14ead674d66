// Finds the browsers of this machine and starts them headless.
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import puppeteer from "puppeteer-core";

const NAMES = {
  chromium: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
  firefox: ["firefox-esr", "firefox"],
};

export const BROWSERS = Object.keys(NAMES);

export function find(browser) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const name of NAMES[browser]) {
    for (const folder of folders) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here: the next folder.
      }
    }
  }
  return null;
}

// `addresses` is "plain" (host candidates carry addresses) or "default" (as
// shipped: host candidates are mDNS names), or one of these with plain
// addresses and something switched off: "classical" (no post-quantum key
// exchange), "dtls-1.2" (no later version; Chromium has no such switch).
// With `ca` and `address` the authority in that file is trusted. Firefox has it
// in its profile, and takes every name to be at that address; Chromium believes
// any certificate then.
export async function launch(browser, addresses, { ca, address } = {}) {
  const executablePath = find(browser);
  if (!executablePath) throw new Error(`no ${browser} found on PATH (tried ${NAMES[browser].join(", ")})`);
  const userDataDir = mkdtempSync(join(tmpdir(), `rig-${browser}-`));
  const options = browser === "chromium" ? chromium(addresses, address) : firefox(addresses, address);
  if (ca && browser === "firefox") trust(userDataDir, ca);
  const handle = await puppeteer.launch({
    browser: browser === "chromium" ? "chrome" : "firefox",
    executablePath,
    headless: true,
    userDataDir,
    protocolTimeout: 600_000,
    // The run ends its browsers itself, and its examples with them.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    ...options,
  });
  const tidy = () => rmSync(userDataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  return {
    name: browser,
    version: await handle.version(),
    alive: () => handle.connected,
    page: () => handle.newPage(),
    async close() {
      await handle.close();
      tidy();
    },
    // As a crash would: nobody says goodbye.
    async kill() {
      const ended = new Promise((resolve) => handle.process().once("exit", resolve));
      handle.process().kill("SIGKILL");
      await ended;
      tidy();
    },
  };
}

// Puts an authority into the certificates of a profile.
function trust(profile, ca) {
  const database = ["-d", `sql:${profile}`];
  execFileSync("certutil", ["-N", "--empty-password", ...database]);
  execFileSync("certutil", ["-A", "-n", "rig authority", "-t", "C,,", "-i", ca, ...database]);
}

function chromium(addresses, address) {
  const args = [
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    // Tabs in the background must not be slowed: several are open at once.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
  ];
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  const off = [];
  if (addresses !== "default") off.push("WebRtcHideLocalIpsWithMdns");
  if (addresses === "classical") off.push("WebRtcPqcForDtls");
  if (off.length > 0) args.push(`--disable-features=${off.join(",")}`);
  if (address) args.push("--ignore-certificate-errors");
  return { args };
}

function firefox(addresses, address) {
  return {
    extraPrefsFirefox: {
      "media.peerconnection.ice.obfuscate_host_addresses": addresses === "default",
      ...(addresses === "classical" && { "media.webrtc.enable_pq_hybrid_kex": false }),
      ...(addresses === "dtls-1.2" && { "media.peerconnection.dtls.version.max": 0x0303 }),
      ...(address && { "network.dns.forceResolve": address }),
      "dom.min_background_timeout_value": 4,
      "dom.timeout.enable_budget_timer_throttling": false,
    },
  };
}
