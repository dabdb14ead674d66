// Signalling over HTTP: POST /rooms/NAME/offer is answered with an answer.
export { Room } from "./room.js";

export default {
  async fetch(request, env) {
    const match = /^\/rooms\/([\w-]{1,64})\/(offer|restart|stats)$/.exec(new URL(request.url).pathname);
    if (!match) return new Response("not found\n", { status: 404 });
    const [, name, what] = match;
    if (what === "restart" && !(await mayRestart(request, env.RESTART_TOKEN))) return new Response("not found\n", { status: 404 });
    return env.ROOMS.get(env.ROOMS.idFromName(name)).fetch(request);
  },
};

// Restarting throws everybody out of a room: only who has the token may, and
// nobody where there is none.
async function mayRestart(request, token) {
  if (!token) return false;
  const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const given = request.headers.get("authorization") ?? "";
  return crypto.subtle.timingSafeEqual(await digest(given), await digest(`Bearer ${token}`));
}
