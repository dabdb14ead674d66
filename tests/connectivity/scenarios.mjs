// What must hold. A scenario fails by throwing; what it returns is printed
// beside its name. `alone` ones need no STUN or TURN of our connections.
import { connect, End, Process } from "./ends.mjs";
import { KINDS, Net } from "./net.mjs";
import { SIDES } from "./table.mjs";

export const SERVER = "203.0.113.10";
// The same host's.
const SERVER6 = "2001:db8:1::10";
const STUN = `stun:${SERVER}:3478`;
const UDP = `turn:${SERVER}:3478?transport=udp`;
const TCP = `turn:${SERVER}:3478?transport=tcp`;
const TLS = `turns:${SERVER}:5349?transport=tcp`;
const BULK = 262_144;

function expect(holds, why) {
  if (!holds) throw new Error(why);
}

// A network with a host for servers.
function network(undo) {
  const net = new Net();
  undo(() => net.close());
  return { net, servers: net.open("srv", 10, { v6: true }) };
}

async function coturn(rig, undo, host, more = []) {
  const argv = ["turnserver", "-n", "--listening-ip", host.address, "--lt-cred-mech"];
  if (!more.includes("--relay-ip")) argv.push("--relay-ip", host.address);
  argv.push("--user", "user:secret", "--realm", "rig", "--no-cli", "--no-dtls", "--simple-log");
  argv.push("--log-file", "stdout", "--pidfile", `${rig.folder}/${host.space}.pid`, "--fingerprint");
  argv.push("--cert", rig.cert, "--pkey", rig.key, "--userdb", `${rig.folder}/${host.space}.db`, ...more);
  const server = new Process(host.space, argv);
  undo(() => server.stop("SIGKILL"));
  await server.lines.wait(/DB connection success/, 20_000);
  return server;
}

async function ours(rig, undo, host, more = []) {
  const argv = [rig.server, "--listen", `${SERVER}:3478`, "--tls", `${SERVER}:5349`, "--cert", rig.cert];
  argv.push("--key", rig.key, "--users", rig.users, "--exit-after", "600", ...more);
  const server = new Process(host.space, argv);
  undo(() => server.stop("SIGINT"));
  await server.lines.wait(/turns:/, 10_000);
  return server;
}

function end(rig, undo, host, options) {
  const started = new End(host, { kind: "native", binary: rig.binary, ca: rig.ca, server: SERVER, ...options });
  undo(() => started.stop());
  return started;
}

// Two native ends with a transfer between them, whose digest both tell.
// Under it, once half of it is there, something may happen.
async function transfer(rig, undo, hosts, options = [{}, {}], { octets = BULK, happens } = {}) {
  const [a, b] = hosts.map((host, i) => end(rig, undo, host, { bulk: String(octets), ...options[i] }));
  const result = await connect(a, b);
  if (happens) {
    await b.do("line", { pattern: "^half of the transfer", ms: 60_000 });
    await happens(a, b);
  }
  const [sent, got] = await Promise.all([a.do("digest", { ms: 60_000 }), b.do("digest", { ms: 60_000 })]);
  expect(sent.digest && sent.digest === got.digest, `sent ${sent.digest}, got ${got.digest}`);
  const told = (await b.do("line", { pattern: "without a message", ms: 1_000 })).line;
  return { ...result, ends: [a, b], gap: Number(/(\d+) ms without/.exec(told)[1]) };
}

function site(net, label, number, side, options) {
  return side === "none" ? net.open(label, number) : net.behind(label, number, [side].flat(), options);
}

// Whom nobody can reach who is not spoken to from that very port, and who
// speaks from another port to everybody, do not come together.
const needsRelay = (a, b) =>
  a === "symmetric" ? ["symmetric", "port-restricted"].includes(b) : b === "symmetric" && a === "port-restricted";

const describe = ({ pair, ms }) => `${pair} after ${ms} ms`;
const isRelayed = ({ pair }) => pair.includes("relay");

function cell(kind, a, b) {
  return {
    name: `nat/${kind}/${a}/${b}`,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const hosts = [site(net, "a", 21, a), site(net, "b", 31, b)];
      // Where no relay is needed none is offered: which of two ways that work
      // is nominated first is a matter of milliseconds.
      const wanted = needsRelay(a, b);
      const list = { servers: [wanted ? UDP : STUN] };
      let result;
      if (kind === "native") {
        result = await transfer(rig, undo, hosts, [list, list]);
      } else {
        const browser = end(rig, undo, hosts[0], { kind, ...list });
        result = await connect(browser, end(rig, undo, hosts[1], list), 45_000);
      }
      rig.cells.push({ kind, a, b, pair: result.pair, ms: result.ms });
      expect(isRelayed(result) === wanted, describe(result));
      return describe(result);
    },
  };
}

const matrix = SIDES.flatMap((a) => SIDES.map((b) => cell("native", a, b)));
const browsers = [
  ...Object.keys(KINDS).map((side) => cell("chromium", side, "port-restricted")),
  ...Object.keys(KINDS).map((side) => cell("firefox", side, "port-restricted")),
];

// The transfer goes from the offerer to the answerer, and the one or the other
// moves under it.
const roams = ["offerer", "answerer"].map((who, mover) => ({
  name: `roam/${who}`,
  async run(rig, undo) {
    const { net } = network(undo);
    const hosts = [net.open("a", 21), net.open("b", 31)];
    const there = net.second(hosts[mover], 41);
    net.limit(hosts[0], 40, mover === 0 ? ["wan", "spare"] : ["wan"]);
    const options = [0, 1].map((i) => ({ args: i === mover ? ["--roam"] : [] }));
    const happens = () => net.unplug(hosts[mover]);
    const result = await transfer(rig, undo, hosts, options, { octets: 16 * 1_048_576, happens });
    const { line } = await result.ends[mover].do("line", { pattern: `path ${there.replaceAll(".", "\\.")}:`, ms: 1_000 });
    return `16 MiB whole, ${result.gap} ms without a message, ${line.replace(/^peer \d+: /, "")}`;
  },
}));

const answering = [["chromium", "symmetric"], ["firefox", "symmetric"], ["chromium", "full cone"]].map(([kind, side]) => ({
  name: `answerer/${kind}/${side}`,
  async run(rig, undo) {
    const { net, servers } = network(undo);
    await coturn(rig, undo, servers);
    const hosts = [site(net, "a", 21, "port-restricted"), site(net, "b", 31, side)];
    const list = { servers: [side === "symmetric" ? UDP : STUN] };
    const offerer = end(rig, undo, hosts[0], list);
    const result = await connect(offerer, end(rig, undo, hosts[1], { kind, ...list }), 45_000);
    expect(isRelayed(result) === (side === "symmetric"), describe(result));
    return describe(result);
  },
}));

const unblocked = ["chromium", "firefox"].flatMap((kind) =>
  [["tcp", TCP], ["tls", TLS]].map(([name, url]) => ({
    name: `udp-blocked/${kind}-${name}`,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const blocked = net.behind("a", 21, ["port-restricted"], { noUdp: true });
      const browser = end(rig, undo, blocked, { kind, servers: [url] });
      const result = await connect(browser, end(rig, undo, site(net, "b", 31, "port-restricted"), { servers: [UDP] }), 45_000);
      expect(isRelayed(result), describe(result));
      return describe(result);
    },
  })),
);

// Peers that have nothing but TCP, through a relay that speaks it to them (RFC
// 6062): our end reaches theirs, or theirs the relay's port.
const throughTcp = [
  ["active", TCP, false],
  ["active-tls", TLS, false],
  ["passive", TCP, true],
].map(([name, url, closed]) => ({
  name: `tcp-relay/${name}`,
  async run(rig, undo) {
    const { net, servers } = network(undo);
    await coturn(rig, undo, servers);
    const hosts = [net.behind("a", 21, ["port-restricted"], { noUdp: true }), net.open("b", 31)];
    if (closed) net.firewall(hosts[1]);
    const options = [
      { servers: [url], relayOnly: true, args: ["--no-udp", "--tcp-relay"] },
      { args: ["--no-udp", "--tcp"] },
    ];
    const result = await transfer(rig, undo, hosts, options, { octets: 16 * 1_048_576 });
    expect(result.pair.startsWith("relay/"), describe(result));
    return `16 MiB whole, ${describe(result)}`;
  },
}));
const browserTcp = {
  name: "tcp-relay/chromium",
  async run(rig, undo) {
    const { net, servers } = network(undo);
    await coturn(rig, undo, servers);
    const hosts = [net.behind("a", 21, ["port-restricted"], { noUdp: true }), net.open("b", 31)];
    net.firewall(hosts[1]);
    const options = { servers: [TCP], relayOnly: true, args: ["--no-udp", "--tcp-relay"] };
    const browser = end(rig, undo, hosts[1], { kind: "chromium" });
    const result = await connect(browser, end(rig, undo, hosts[0], options), 45_000);
    expect(result.pair.endsWith("/relay"), describe(result));
    return describe(result);
  },
};

// Two firewalls that let nothing in but answers, and no UDP: each end opens the
// stream from the port that it has told, and the two meet.
const simultaneous = {
  name: "simultaneous-open",
  async run(rig, undo) {
    const { net } = network(undo);
    const hosts = [net.open("a", 21), net.open("b", 31)];
    for (const host of hosts) net.firewall(host);
    const options = { args: ["--no-udp", "--tcp", "--tcp-so"] };
    const result = await transfer(rig, undo, hosts, [options, options], { octets: 16 * 1_048_576 });
    return `16 MiB whole, ${describe(result)}`;
  },
};

// The direct way is shut while they connect, through a relay, and opens under the
// transfer: with renomination they go over to it.
const renominations = [true, false].map((asked) => ({
  name: `renomination/${asked ? "by-both" : "by-one"}`,
  async run(rig, undo) {
    const { net, servers } = network(undo);
    await coturn(rig, undo, servers);
    const hosts = [net.open("a", 21), net.open("b", 31)];
    net.limit(hosts[0], 40, ["wan"]);
    hosts.forEach((host, i) => net.cut(host.space, hosts[1 - i].address));
    const options = [true, asked].map((yes) => ({ servers: [UDP], args: yes ? ["--renomination"] : [] }));
    const happens = () => hosts.forEach((host) => net.mend(host.space));
    const result = await transfer(rig, undo, hosts, options, { octets: 16 * 1_048_576, happens });
    expect(isRelayed(result), describe(result));
    const { local, remote } = await result.ends[0].do("path");
    const relayed = [local, remote].some((end) => end.startsWith(`${SERVER}:`));
    expect(relayed !== asked, `${local} to ${remote}`);
    return `${describe(result)}, then ${relayed ? "as before" : "direct"}; whole, ${result.gap} ms without a message`;
  },
}));

const others = [
  ...roams,
  ...answering,
  ...unblocked,
  ...throughTcp,
  browserTcp,
  simultaneous,
  ...renominations,
  {
    // The direct way is cut once it is in use; what is left is a relay.
    name: "path-dies",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const hosts = [net.open("a", 21), net.open("b", 31)];
      net.limit(hosts[0], 40, ["wan"]);
      const list = { servers: [UDP] };
      const happens = () => hosts.forEach((host, i) => net.cut(host.space, hosts[1 - i].address));
      const result = await transfer(rig, undo, hosts, [list, list], { octets: 8 * 1_048_576, happens });
      expect(!isRelayed(result), describe(result));
      const { local, remote } = await result.ends[0].do("path");
      expect([local, remote].some((end) => end.startsWith(`${SERVER}:`)), `${local} to ${remote}`);
      return `${describe(result)}, then relayed; whole, ${result.gap} ms without a message`;
    },
  },
  ...["offerer", "answerer"].map((who, sleeper) => ({
    name: `clock-jumps/${who}`,
    waits: true,
    async run(rig, undo) {
      const { net } = network(undo);
      const hosts = [net.open("a", 21), net.open("b", 31)];
      net.limit(hosts[0], 40, ["wan"]);
      const happens = (...ends) => ends[sleeper].do("sleep", { ms: 12_000 });
      const result = await transfer(rig, undo, hosts, [{}, {}], { octets: 8 * 1_048_576, happens });
      return `12 s ahead: whole, ${result.gap} ms without a message`;
    },
  })),
  {
    name: "double-nat",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const twice = ["port-restricted", "port-restricted"];
      const hosts = [site(net, "a", 21, twice), site(net, "b", 31, twice)];
      const list = { servers: [STUN] };
      const result = await transfer(rig, undo, hosts, [list, list]);
      expect(!isRelayed(result), describe(result));
      return describe(result);
    },
  },
  {
    // As most configurations have it: one server, for both.
    name: "one-server-for-stun-and-turn",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const hosts = [site(net, "a", 21, "symmetric"), site(net, "b", 31, "symmetric")];
      const list = { servers: [STUN, UDP] };
      const result = await transfer(rig, undo, hosts, [list, list]);
      expect(isRelayed(result), describe(result));
      return describe(result);
    },
  },
  ...[["tcp", TCP], ["tls", TLS]].map(([name, url]) => ({
    name: `udp-blocked/${name}`,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const blocked = net.behind("a", 21, ["port-restricted"], { noUdp: true });
      const list = { servers: [UDP, url] };
      const result = await transfer(rig, undo, [blocked, site(net, "b", 31, "port-restricted")], [list, list]);
      expect(isRelayed(result), describe(result));
      return describe(result);
    },
  })),
  {
    // What one end marks is on the wire, and the mark of a queue that fills up
    // does no harm at the other.
    name: "marks",
    async run(rig, undo) {
      const { net } = network(undo);
      const hosts = [net.open("a", 21), net.open("b", 31)];
      const rule = "ip dscp ef ip ecn ect0 counter ip ecn set ce";
      net.rules(hosts[1].space, `table ip marks { chain seen { type filter hook input priority 0; ${rule}; }\n}`);
      const args = ["--dscp", "46", "--ecn", "ect0"];
      const result = await transfer(rig, undo, hosts, [{ args }, {}]);
      const [, seen] = /counter packets (\d+)/.exec(net.in(hosts[1].space, "nft", "list", "table", "ip", "marks"));
      expect(Number(seen) > BULK / 1_500, `${seen} datagrams with EF and ECT(0)`);
      return `${describe(result)}, ${seen} datagrams with EF and ECT(0), whole with CE`;
    },
  },
  {
    name: "no-hairpin",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      // Two hosts behind one outer NAT, each behind an inner one of its own:
      // to each other they are at the outer address, which does not turn back.
      const one = net.behind("a", 21, ["port-restricted", "port-restricted"]);
      const other = net.beside(one, "b", "port-restricted");
      const list = { servers: [UDP] };
      const result = await transfer(rig, undo, [one, other], [list, list]);
      expect(isRelayed(result), describe(result));
      return describe(result);
    },
  },
  {
    name: "ipv6-only-and-ipv4-only",
    waits: true,
    alone: true,
    async run(rig, undo) {
      const { net } = network(undo);
      const [six, four] = [net.open("a", 21, { v4: false, v6: true }), net.open("b", 31)];
      const [a, b] = [end(rig, undo, six, {}), end(rig, undo, four, {})];
      const { sdp: offer } = await a.do("offer");
      const { sdp: answer } = await b.do("answer", { sdp: offer });
      await a.do("accept", { sdp: answer });
      const { line } = await a.do("line", { pattern: "^peer \\d+ gone: ", ms: 60_000 });
      return line;
    },
  },
  {
    // The server sends everybody to another one (300, Try Alternate).
    name: "alternate-server",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      const other = net.open("srv2", 11);
      await coturn(rig, undo, servers, ["--alternate-server", other.address]);
      await coturn(rig, undo, other);
      const list = { servers: [UDP], relayOnly: true };
      const result = await transfer(rig, undo, [net.open("a", 21), net.open("b", 31)], [list, list]);
      const { local } = await result.ends[0].do("path");
      expect(local.startsWith(`${other.address}:`), local);
      return `${describe(result)}, at the other server`;
    },
  },
  // What has no IPv6 reaches what has nothing else through a relay of IPv6 (RFC
  // 6156). coturn refuses until it is asked for that (440).
  ...[
    ["coturn", coturn, ["--relay-ip", SERVER6]],
    ["own-server", ours, ["--relay", SERVER6]],
  ].map(([name, server, more]) => ({
    name: `ipv6-relay/${name}`,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await server(rig, undo, servers, more);
      const hosts = [net.open("a", 21), net.open("b", 31, { v4: false, v6: true })];
      const result = await transfer(rig, undo, hosts, [{ servers: [UDP] }, {}]);
      expect(result.pair.startsWith("relay/"), describe(result));
      return describe(result);
    },
  })),
  {
    name: "loss-15-percent",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await coturn(rig, undo, servers);
      const hosts = [site(net, "a", 21, "port-restricted"), site(net, "b", 31, "port-restricted")];
      for (const host of hosts) net.lose(host.space, 15);
      const list = { servers: [UDP] };
      return describe(await transfer(rig, undo, hosts, [list, list]));
    },
  },
  {
    name: "server-vanishes",
    waits: true,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      const server = await coturn(rig, undo, servers);
      const hosts = [site(net, "a", 21, "symmetric"), site(net, "b", 31, "symmetric")];
      const list = { servers: [UDP], relayOnly: true };
      const result = await transfer(rig, undo, hosts, [list, list]);
      await server.stop("SIGKILL");
      const { line } = await result.ends[0].do("line", { pattern: "^peer \\d+ gone: ", ms: 70_000 });
      return `${describe(result)}, then ${line}`;
    },
  },
  ...[[coturn, "--stale-nonce=2"], [ours, "--nonce-lifetime=2"]].map(([server, flag]) => ({
    name: `nonce-expires/${server === ours ? "own-server" : "coturn"}`,
    waits: true,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await server(rig, undo, servers, [flag]);
      const list = { servers: [UDP], relayOnly: true };
      const hosts = [site(net, "a", 21, "symmetric"), site(net, "b", 31, "symmetric")];
      const [a, b] = hosts.map((host) => end(rig, undo, host, list));
      const { sdp: offer } = await a.do("offer");
      // By the time that permissions are asked for, the nonce is too old.
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      const { sdp: answer } = await b.do("answer", { sdp: offer });
      await a.do("accept", { sdp: answer });
      await Promise.all([a.do("opened", { ms: 30_000 }), b.do("opened", { ms: 30_000 })]);
      return "open with a second nonce";
    },
  })),
  ...[["udp", []], ["send", ["-s"]], ["tcp", ["-t"]], ["tls", ["-S", "-t"]]].map(([name, flags]) => ({
    name: `own-server/uclient-${name}`,
    alone: true,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await ours(rig, undo, servers);
      const [client, peer] = [net.open("a", 21), net.open("b", 31)];
      const echo = new Process(peer.space, ["turnutils_peer", "-L", peer.address, "-p", "3999"]);
      undo(() => echo.stop("SIGKILL"));
      const argv = ["turnutils_uclient", "-c", "-n", "20", "-m", "2", "-u", "user", "-w", "secret", ...flags];
      argv.push("-e", peer.address, "-r", "3999", "-p", name === "tls" ? "5349" : "3478", SERVER);
      const uclient = new Process(client.space, argv);
      undo(() => uclient.stop("SIGKILL"));
      const line = await uclient.lines.wait(/Total lost packets/, 60_000);
      expect(/lost packets 0 /.test(line), line);
      return line.replace(/^.*: /, "");
    },
  })),
  {
    // Our own ends prove themselves by SHA-256, browsers go on with MD5.
    name: "own-server/sha-256",
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await ours(rig, undo, servers, ["--sha256"]);
      const hosts = [site(net, "a", 21, "symmetric"), site(net, "b", 31, "symmetric")];
      const list = { servers: [UDP], relayOnly: true };
      const result = await transfer(rig, undo, hosts, [list, list]);
      const browser = end(rig, undo, hosts[0], { kind: "chromium", ...list });
      const other = await connect(browser, end(rig, undo, hosts[1], list), 45_000);
      expect(isRelayed(result) && isRelayed(other), `${describe(result)}, chromium ${describe(other)}`);
      return `${describe(result)}, chromium ${describe(other)}`;
    },
  },
  {
    // The browser's relay alone leads to a host that knows of no server.
    name: "own-server/chromium-to-a-host",
    alone: true,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await ours(rig, undo, servers);
      const browser = end(rig, undo, site(net, "a", 21, "symmetric"), { kind: "chromium", relayOnly: true, servers: [UDP] });
      const result = await connect(browser, end(rig, undo, net.open("b", 31), {}), 45_000);
      expect(isRelayed(result), describe(result));
      return describe(result);
    },
  },
  ...["chromium", "firefox"].map((kind) => ({
    name: `own-server/${kind}-relay-only`,
    async run(rig, undo) {
      const { net, servers } = network(undo);
      await ours(rig, undo, servers);
      const hosts = [site(net, "a", 21, "symmetric"), site(net, "b", 31, "symmetric")];
      const list = { servers: [UDP] };
      const browser = end(rig, undo, hosts[0], { kind, relayOnly: true, ...list });
      const result = await connect(browser, end(rig, undo, hosts[1], list), 45_000);
      expect(isRelayed(result), describe(result));
      return describe(result);
    },
  })),
];

// Those with `waits` do little else.
export const scenarios = [...matrix, ...browsers, ...others];
