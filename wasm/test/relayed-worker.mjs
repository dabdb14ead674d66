// relayed.mjs in a Worker, with its own sockets to the TURN server.
import { RTCPeerConnection } from "../dist/workerd.js";
import * as cases from "./relayed.mjs";

export default {
  async fetch(request) {
    const [name, given] = await request.json();
    try {
      return Response.json({ saw: await cases[name]({ RTCPeerConnection, ...given }) });
    } catch (error) {
      return Response.json({ error: `${error?.stack ?? error}` });
    }
  },
};
