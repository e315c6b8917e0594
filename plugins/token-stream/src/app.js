// The plugin's HTTP side: a WebAssembly component in JavaScript. The engine (StarlingMonkey) knows the web's own interfaces,
// so this reads like a service worker: `fetch` events, Request, Response, streams, timers, and `fetch` for calls to
// other plugins. There is no Node.js in it.

// An interface of wit/plugin.wit, imported by its full name.
import { getEnvironment } from 'wasi:cli/environment@0.2.10';
import { event, tokens } from './tokens.js';

addEventListener('fetch', (fetched) => fetched.respondWith(answer(fetched.request)));

async function answer(request) {
  if (request.method !== 'POST') {
    return Response.json({ error: 'POST a text' }, { status: 405, headers: { allow: 'POST' } });
  }
  const pause = configuration().pause_ms;
  const waiting = tokens(await request.text());
  const encoder = new TextEncoder();
  let sent = 0;
  // `pull` is called whenever the caller has room for more, so a slow caller never makes the plugin pile up tokens.
  // A caller that leaves ends the whole call.
  const body = new ReadableStream({
    async pull(controller) {
      if (sent < waiting.length) {
        if (sent > 0) await new Promise((resolve) => setTimeout(resolve, pause));
        controller.enqueue(encoder.encode(event('token', { index: sent, text: waiting[sent] })));
        sent += 1;
      } else {
        // A last event tells the caller that the stream is complete and did not break off.
        controller.enqueue(encoder.encode(event('done', { tokens: sent })));
        controller.close();
      }
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } });
}

/** What the operator configured; checked against `config_schema` by the gateway, which also fills in the defaults. */
function configuration() {
  const variables = Object.fromEntries(getEnvironment());
  return JSON.parse(variables.FRAMEX_PLUGIN_CONFIG ?? '{"pause_ms": 20}');
}
