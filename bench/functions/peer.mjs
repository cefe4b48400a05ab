// What Purser does around a handler, for the peer: the event in, the result out, as JSON.
import handler from "handler.js";

export default {
  async fetch(request) {
    const event = await request.json();
    return Response.json({ result: await handler(event), logs: [], duration_ms: 0, version: 1 });
  },
};
