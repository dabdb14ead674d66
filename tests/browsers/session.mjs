// One case's connections: tabs, examples, and the way from one to the other.
import { forceRole, post } from "./signal.mjs";

// What a case gets. `rig` is the whole run: how to start an example, which
// address it binds, where the rig's page is.
export class Case {
  #tabs = [];
  #examples = [];

  constructor(rig, browser, mode) {
    this.rig = rig;
    this.browser = browser;
    this.mode = mode; // { offerer: "browser" | "example", role: "client" | "server" }
  }

  async tab(browser = this.browser) {
    const page = await browser.page();
    const tab = new Tab(page);
    this.#tabs.push(tab);
    await page.goto(this.rig.relay.pageUrl);
    await page.evaluate(() => rig.begin());
    return tab;
  }

  // An example of this case's own, ended with it.
  async example(args = [], address = this.rig.address) {
    const example = await this.rig.start(args, address);
    this.#examples.push(example);
    return example;
  }

  // Connects a new tab to the example and returns it once `main` is open.
  // Options: `args` for an example of its own, `address` to bind it to,
  // `browser` for the tab, `audioFirst`, `toExample`/`toBrowser` (change a description on its way),
  // `open: false` when the channel is not expected to open.
  async connect(options = {}) {
    const tab = await this.tab(options.browser);
    if (this.mode.offerer === "browser") await this.#offer(tab, options);
    else await this.#takeOffer(tab, options);
    if (!this.#examples.includes(tab.example)) this.#examples.push(tab.example);
    if (options.open !== false) await tab.call("opened", "main");
    return tab;
  }

  async #offer(tab, { args, address, audioFirst, toExample = same, toBrowser = same }) {
    tab.example = args || address ? await this.example(args, address) : await this.rig.shared();
    if (audioFirst) await tab.page.evaluate(() => void rig.pc.addTransceiver("audio"));
    await tab.call("channel", "main");
    const offer = await tab.call("offer");
    tab.sent = toExample(forceRole(offer, this.mode.role, "browser"));
    const { answer, peer } = await post(tab.example.url, tab.sent);
    tab.peer = peer;
    tab.got = toBrowser(answer);
    await tab.call("accept", tab.got);
  }

  async #takeOffer(tab, { args = [], address, toExample = same, toBrowser = same }) {
    let url;
    const answered = new Promise((resolve, reject) => {
      url = this.rig.relay.path(async (offer, headers) => {
        try {
          tab.peer = headers["x-from-peer"];
          tab.got = toBrowser(forceRole(offer, this.mode.role, "example"));
          tab.sent = toExample(await tab.call("answer", tab.got));
          resolve();
          return tab.sent;
        } catch (error) {
          reject(error);
          throw error;
        }
      });
    });
    answered.catch(() => {}); // Seen below, once the example runs.
    tab.example = await this.example(["--offer-to", url, "--label", "main", ...args], address);
    const ended = tab.example.ended.then(() => {
      throw new Error(`the example ended without an offer:\n${tab.example.lines.tail()}`);
    });
    ended.catch(() => {});
    await Promise.race([answered, ended]);
  }

  async end() {
    const shared = this.rig.sharedExample;
    await Promise.allSettled(this.#tabs.map((tab) => tab.close()));
    await Promise.allSettled(this.#examples.filter((e) => e !== shared).map((e) => e.stop()));
  }

  // What a report of failure adds: the states each tab went through and what
  // the examples said.
  async account() {
    const parts = [];
    for (const tab of this.#tabs) {
      const lines = await tab.call("account").catch(() => ["gone"]);
      parts.push("  tab:", ...lines.map((line) => `    | ${line}`));
    }
    for (const example of this.#examples) {
      parts.push("  example:", example.lines.tail());
      parts.push(...((await example.account?.().catch(() => null)) ?? []));
    }
    return parts.join("\n");
  }
}

const same = (sdp) => sdp;

// A browser tab with the rig's page in it.
class Tab {
  constructor(page) {
    this.page = page;
  }

  call(verb, ...args) {
    return this.page.evaluate((name, list) => rig[name](...list), verb, args);
  }

  // A new offer from this tab over the connection that it has.
  async renegotiate(options = {}) {
    const offer = await this.call("offer", options);
    const { answer } = await post(this.example.url, offer, this.peer);
    await this.call("accept", answer);
    return { offer, answer };
  }

  async close() {
    if (this.page.browser().connected && !this.page.isClosed()) await this.page.close();
  }
}
