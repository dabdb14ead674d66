// The rooms of `worker-relay` on Deno, where UDP takes members there directly.
//   main.js [--hostname 127.0.0.1] [--port 8000]
import { parseArgs } from "node:util";
import { RTCPeerConnection } from "picortc";
import { NAME, Room } from "../relay-common/room.js";

const { values: { hostname, port } } = parseArgs({
  args: Deno.args,
  options: { hostname: { type: "string", default: "127.0.0.1" }, port: { type: "string", default: "8000" } },
});

/** Rooms that may be open at a time. */
const MAX_ROOMS = 256;
const rooms = new Map();

// A room is made when somebody joins; those that were left make place for it.
function room(name) {
  const kept = rooms.get(name);
  if (kept) return kept;
  if (rooms.size >= MAX_ROOMS) for (const [other, it] of rooms) if (it.isEmpty) rooms.delete(other);
  if (rooms.size >= MAX_ROOMS) return null;
  const made = new Room(() => new RTCPeerConnection({}, { limits: "server", receiveBuffer: 128 * 1024, sendBuffer: 512 * 1024, maxMessageSize: 16 * 1024 }));
  rooms.set(name, made);
  return made;
}

const PAGES = { "/": ["index.html", "text/html"], "/member.js": ["member.js", "text/javascript"] };

async function handle(request) {
  const { pathname } = new URL(request.url);
  if (pathname in PAGES) {
    const [file, type] = PAGES[pathname];
    return new Response(await Deno.readFile(new URL(`../relay-common/public/${file}`, import.meta.url)), { headers: { "content-type": type } });
  }
  const [, place, name, verb] = pathname.split("/");
  if (place !== "rooms" || !NAME.test(name ?? "")) return new Response("not found\n", { status: 404 });
  if (verb === "stats") return Response.json(rooms.get(name)?.stats() ?? { members: 0, topics: [] });
  if (verb !== "offer") return new Response("not found\n", { status: 404 });
  return room(name)?.offer(request) ?? new Response("too many rooms\n", { status: 503 });
}

Deno.serve({ hostname, port: Number(port), onListen: ({ hostname, port }) => console.log(`http://${hostname}:${port}/`) }, handle);
