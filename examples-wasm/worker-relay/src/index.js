// Signalling over HTTP: POST /rooms/NAME/offer is answered with an answer.
export { Room } from "./room.js";

export default {
  async fetch(request, env) {
    const match = /^\/rooms\/([\w-]{1,64})\/(offer|restart|stats)$/.exec(new URL(request.url).pathname);
    if (!match) return new Response("not found\n", { status: 404 });
    const [, name] = match;
    return env.ROOMS.get(env.ROOMS.idFromName(name)).fetch(request);
  },
};
