// Networks of the run's own making: namespaces, veth pairs and nftables. All
// of it is gone when the run ends.
import { execFileSync, spawnSync } from "node:child_process";

// The middle of the network is a bridge, with addresses kept for documentation.
const WIDE = "203.0.113";
const WIDE6 = "2001:db8:1:";

// What a NAT of each kind does (RFC 4787). Linux keeps the port of a flow, and
// takes in what comes back from where something was sent to: port-restricted.
// What comes unasked is dropped before it is tracked, else the flow that it
// runs ahead of would get another port.
export const KINDS = {
  "full cone": `
    chain incoming { type nat hook prerouting priority -100; iifname "wan" udp dport 1024-65535 dnat to HOST; }
    chain outgoing { type nat hook postrouting priority 100; oifname "wan" masquerade; }`,
  "address-restricted": `
    set spoken_to { type ipv4_addr; flags dynamic, timeout; timeout 120s; }
    chain incoming { type nat hook prerouting priority -100;
      iifname "wan" ip saddr @spoken_to udp dport 1024-65535 dnat to HOST; }
    chain passing { type filter hook forward priority 0; oifname "wan" add @spoken_to { ip daddr }; }
    chain outgoing { type nat hook postrouting priority 100; oifname "wan" masquerade; }`,
  "port-restricted": `
    chain outgoing { type nat hook postrouting priority 100; oifname "wan" masquerade; }`,
  symmetric: `
    chain outgoing { type nat hook postrouting priority 100; oifname "wan" masquerade fully-random; }`,
};
const UNASKED = `chain here { type filter hook input priority 0; iifname "wan" ct state new drop; }`;
const NO_UDP = `chain blocked { type filter hook forward priority -1; meta l4proto udp drop; }`;

export function run(...argv) {
  const [command, ...args] = argv.flat();
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

// Why this machine cannot do it; null when it can.
export function obstacle() {
  if (process.getuid?.() !== 0) return "network namespaces want root";
  for (const command of ["ip", "nft"]) {
    if (spawnSync("sh", ["-c", `command -v ${command}`]).status !== 0) return `there is no command ${command}`;
  }
  const name = `probe${process.pid}`;
  const tried = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (tried.status !== 0) return `network namespaces are not permitted: ${tried.stderr.trim()}`;
  const rules = "table ip t { chain c { type nat hook postrouting priority 100; masquerade; }\n}";
  const nat = spawnSync("ip", ["netns", "exec", name, "nft", "-f", "-"], { encoding: "utf8", input: `${rules}\n` });
  spawnSync("ip", ["netns", "del", name]);
  return nat.status === 0 ? null : `nftables cannot translate addresses: ${nat.stderr.trim()}`;
}

let serial = 0;

export class Net {
  #spaces = [];
  #links = 0;

  constructor() {
    this.name = `n${process.pid}x${(serial += 1)}`;
    this.core = this.space("core");
    run("ip", "-n", this.core, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    run("ip", "-n", this.core, "link", "set", "br0", "up");
    // The way to everywhere else: what is sent there vanishes, as it does on
    // the Internet, and nobody is told.
    run("ip", "-n", this.core, "addr", "add", `${WIDE}.254/24`, "dev", "br0");
  }

  space(label) {
    const space = `${this.name}-${label}`;
    run("ip", "netns", "add", space);
    this.#spaces.push(space);
    run("ip", "-n", space, "link", "set", "lo", "up");
    this.in(space, "sysctl", "-q", "-w", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0");
    return space;
  }

  in(space, ...argv) {
    return run("ip", "netns", "exec", space, ...argv);
  }

  rules(space, text) {
    return execFileSync("ip", ["netns", "exec", space, "nft", "-f", "-"], { encoding: "utf8", input: `${text}\n` });
  }

  // A pair of interfaces: `a` in one space, `b` in the other.
  #link(one, a, other, b) {
    const [x, y] = [`x${(this.#links += 1)}`, `y${this.#links}`];
    run("ip", "-n", one, "link", "add", x, "type", "veth", "peer", "name", y);
    run("ip", "-n", one, "link", "set", y, "netns", other);
    run("ip", "-n", one, "link", "set", x, "name", a, "up");
    run("ip", "-n", other, "link", "set", y, "name", b, "up");
  }

  #address(space, device, address) {
    const more = address.includes(":") ? ["nodad"] : [];
    run("ip", "-n", space, "addr", "add", address, "dev", device, ...more);
  }

  // A host in the middle of the network, with an address of each family asked
  // for.
  open(label, number, { v4 = true, v6 = false } = {}) {
    const space = this.space(label);
    this.#link(this.core, `p${number}`, space, "wan");
    run("ip", "-n", this.core, "link", "set", `p${number}`, "master", "br0");
    if (v4) {
      this.#address(space, "wan", `${WIDE}.${number}/24`);
      run("ip", "-n", space, "route", "add", "default", "via", `${WIDE}.254`);
    }
    if (v6) this.#address(space, "wan", `${WIDE6}:${number}/64`);
    return { space, address: v4 ? `${WIDE}.${number}` : `${WIDE6}:${number}`, outside: `${WIDE}.${number}` };
  }

  // A host behind a NAT of a kind, or behind several, the outermost first.
  behind(label, number, kinds, { noUdp = false } = {}) {
    let outer = this.open(`${label}-nat0`, number);
    const { outside } = outer;
    const nats = [];
    for (const [depth, kind] of kinds.entries()) {
      const inner = this.space(depth + 1 < kinds.length ? `${label}-nat${depth + 1}` : label);
      const lan = `10.${number}.${depth}`;
      this.#link(outer.space, "lan", inner, "wan");
      this.#address(outer.space, "lan", `${lan}.1/24`);
      this.#address(inner, "wan", `${lan}.2/24`);
      run("ip", "-n", inner, "route", "add", "default", "via", `${lan}.1`);
      this.in(outer.space, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
      const rules = KINDS[kind].replaceAll("HOST", `${lan}.2`);
      this.rules(outer.space, `table ip nat { ${rules}\n${UNASKED}\n${noUdp ? NO_UDP : ""}\n}`);
      nats.push(outer.space);
      outer = { space: inner, address: `${lan}.2` };
    }
    return { ...outer, outside, nats };
  }

  // Another host behind the outermost NAT of `host`, behind an inner NAT of
  // its own.
  beside(host, label, kind) {
    const [shared, number] = [host.nats[0], 200];
    const nat = this.space(`${label}-nat`);
    this.#link(shared, "lan2", nat, "wan");
    this.#address(shared, "lan2", `10.${number}.0.1/24`);
    this.#address(nat, "wan", `10.${number}.0.2/24`);
    run("ip", "-n", nat, "route", "add", "default", "via", `10.${number}.0.1`);
    const space = this.space(label);
    this.#link(nat, "lan", space, "wan");
    this.#address(nat, "lan", `10.${number}.1.1/24`);
    this.#address(space, "wan", `10.${number}.1.2/24`);
    run("ip", "-n", space, "route", "add", "default", "via", `10.${number}.1.1`);
    this.in(nat, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
    const rules = KINDS[kind].replaceAll("HOST", `10.${number}.1.2`);
    this.rules(nat, `table ip nat { ${rules}\n${UNASKED}\n}`);
    // The two inner networks know nothing of each other.
    const apart = "iifname { lan, lan2 } oifname { lan, lan2 } drop";
    this.rules(shared, `table ip apart { chain apart { type filter hook forward priority -2; ${apart}; }\n}`);
    return { space, address: `10.${number}.1.2` };
  }

  // A second interface of a host of `open`'s, which leads outside as soon as
  // the first does not.
  second(host, number) {
    this.#link(this.core, `p${number}`, host.space, "spare");
    run("ip", "-n", this.core, "link", "set", `p${number}`, "master", "br0");
    this.#address(host.space, "spare", `${WIDE}.${number}/24`);
    run("ip", "-n", host.space, "route", "add", "default", "via", `${WIDE}.254`, "dev", "spare", "metric", "9");
    return `${WIDE}.${number}`;
  }

  unplug(host) {
    run("ip", "-n", host.space, "link", "del", "wan");
  }

  // What goes out at most, in Mbit/s.
  limit(host, rate, devices) {
    for (const device of devices) {
      this.in(host.space, ..."tc qdisc add dev".split(" "), device, ...`root tbf rate ${rate}mbit burst 64k latency 60ms`.split(" "));
    }
  }

  // A firewall on the host itself: no UDP, and what comes has to be asked for.
  firewall(host) {
    const rules = `chain in { type filter hook input priority 0; iifname "wan" ct state new drop; }
      chain datagrams { type filter hook output priority 0; oifname "wan" meta l4proto udp drop; }`;
    this.rules(host.space, `table inet firewall { ${rules}\n}`);
  }

  // From now on nothing of UDP comes from that address.
  cut(space, from) {
    const rule = `ip saddr ${from} meta l4proto udp drop`;
    this.rules(space, `table inet cut { chain cut { type filter hook input priority 0; ${rule}; }\n}`);
  }

  // And from now on it does again.
  mend(space) {
    this.in(space, "nft", "delete", "table", "inet", "cut");
  }

  // Loses so many of a hundred datagrams that come to a host.
  lose(space, percent) {
    const rule = `meta l4proto udp numgen random mod 100 < ${percent} drop`;
    this.rules(space, `table inet loss { chain lost { type filter hook input priority 0; ${rule}; }\n}`);
  }

  close() {
    for (const space of this.#spaces) spawnSync("ip", ["netns", "del", space]);
  }
}
