// The relay examples end to end: a hub as its start.sh starts it, and headless
// browsers in one room.
//   relay.mjs worker|deno [--short]     --short: 1 MiB each way, and nobody is killed
import { argv } from "node:process";
import { launch } from "../../tests/browsers/browser.mjs";
import { HUBS } from "./hubs.mjs";
import { Report } from "./report.mjs";

const kind = argv[2];
const short = argv.includes("--short");
const mib = short ? 1 : 16;
const TOTAL = mib << 20;

const report = new Report(`${kind}-relay`);

const browsers = {};
async function member(browser, base, room, topics) {
  browsers[browser] ??= await launch(browser, "plain");
  const page = await browsers[browser].page();
  await page.goto(`${base}member.js`); // Of its origin, and not yet in a room.
  await page.evaluate(async (room, topics) => {
    const { Member } = await import("/member.js");
    globalThis.said = [];
    globalThis.joined = 0;
    globalThis.member = new Member(room, topics);
    member.addEventListener("joined", () => { joined += 1; });
    for (const type of ["joined", "lost", "trouble"]) member.addEventListener(type, ({ detail }) => said.push(`${type} ${detail ?? ""}`));
    globalThis.until = (holds, what, ms = 60000) => new Promise((resolve, reject) => {
      const from = performance.now();
      const timer = setInterval(() => {
        if (holds()) resolve(performance.now() - from);
        else if (performance.now() - from < ms) return;
        else reject(new Error(`${what} not within ${ms / 1000} s: ${said.slice(-6).join("; ")}`));
        clearInterval(timer);
      }, 20);
    });
    await until(() => joined > 0, "joining");
  }, room, topics);
  return page;
}

const receive = (page, total) => page.evaluate(async (total) => {
  const pieces = [];
  let got = 0;
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${got} of ${total} octets came: ${said.slice(-6).join("; ")}`)), 150_000);
    member.addEventListener("message", ({ detail }) => {
      if (detail.topic !== "bulk") return;
      pieces.push(detail.data);
      got += detail.data.byteLength;
      if (got >= total) resolve();
    });
  });
  const digest = await crypto.subtle.digest("SHA-256", await new Blob(pieces).arrayBuffer());
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}, total);

const send = (page, total) => page.evaluate(async (total) => {
  const octets = new Uint8Array(total);
  for (let i = 0; i < total; i += 65536) crypto.getRandomValues(octets.subarray(i, Math.min(total, i + 65536)));
  const channel = member.channel("bulk");
  channel.bufferedAmountLowThreshold = 65536;
  for (let i = 0; i < total; i += 16384) {
    if (channel.bufferedAmount > 262144) await new Promise((resolve) => { channel.onbufferedamountlow = resolve; });
    channel.send(octets.subarray(i, i + 16384));
  }
  const digest = await crypto.subtle.digest("SHA-256", octets);
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}, total);

const hub = await HUBS[kind]();
const { base } = hub;
let chromium, firefox, third;
try {
  await report.check("two browsers join", async () => {
    chromium = await member("chromium", base, "room", ["bulk", "chat"]);
    firefox = await member("firefox", base, "room", ["bulk", "chat"]);
    const { members } = await hub.stats("room");
    if (members !== 2) throw new Error(`${members} members`);
    return `${members} members`;
  });
  for (const [name, from, to] of [["Chromium to Firefox", () => chromium, () => firefox], ["Firefox to Chromium", () => firefox, () => chromium]]) {
    await report.check(`${mib} MiB from ${name}`, async () => {
      const got = receive(to(), TOTAL);
      got.catch(() => {});
      const sent = await send(from(), TOTAL);
      if ((await got) !== sent) throw new Error("the digests differ");
      const { dropped } = await hub.stats("room");
      return `sha256 ${sent.slice(0, 12)}… at both ends${dropped === undefined ? "" : `, ${dropped} datagrams dropped by the relay`}`;
    });
  }
  await report.check("the page: what one says the other reads", async () => {
    const pages = [await browsers.chromium.page(), await browsers.firefox.page()];
    await Promise.all(pages.map(async (page) => {
      await page.goto(`${base}?room=page`);
      await page.waitForFunction(() => document.getElementById("state").textContent === "In the room.", { timeout: 60_000 });
    }));
    await pages[0].type("#text", "good evening");
    await pages[0].keyboard.press("Enter");
    await pages[1].waitForFunction(() => document.getElementById("log").textContent.includes("good evening"), { timeout: 30_000 });
    await Promise.all(pages.map((page) => page.close()));
    return "from Chromium to Firefox";
  });
  await report.check("the hub is restarted", async () => {
    await hub.restart("room");
    const took = await Promise.all([chromium, firefox].map((page) => page.evaluate(() => until(() => joined > 1, "joining again"))));
    return `both are back after ${took.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(" and ")}, without a reload`;
  });
  if (!short) await report.check("one browser is killed", async () => {
    third = await member("firefox", base, "room", ["chat"]);
    await third.evaluate(() => {
      globalThis.heard = 0;
      member.addEventListener("message", () => { heard += 1; });
    });
    await browsers.chromium.kill();
    delete browsers.chromium;
    await firefox.evaluate(() => {
      for (let i = 0; i < 100; i++) member.channel("chat").send(`line ${i}`);
    });
    await third.evaluate(() => until(() => heard === 100, "100 lines"));
    const until = Date.now() + 60_000;
    while ((await hub.stats("room")).members > 2) {
      if (Date.now() > until) throw new Error("the dead member is still counted");
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    return "the others go on, the dead one is let go";
  });
} finally {
  await Promise.allSettled(Object.values(browsers).map((browser) => browser.close()));
  await hub.stop();
  report.end();
}
