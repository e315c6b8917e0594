// The plugin's HTTP side. The engine (StarlingMonkey) knows the web's own interfaces, so this reads like a service worker:
// `fetch` events, Request, Response, streams, timers, and `fetch` for calls to other plugins. There is no Node.js in it.

// An interface of wit/plugin.wit, imported by its full name.
import { getEnvironment } from 'wasi:cli/environment@0.2.10';
import { greet } from './greeting.js';

addEventListener('fetch', (fetched) => fetched.respondWith(answer(fetched.request)));

async function answer(request) {
  if (request.method !== 'GET') {
    return Response.json({ error: 'use GET' }, { status: 405 });
  }
  const name = new URL(request.url).searchParams.get('name') ?? 'world';
  return Response.json({ greeting: greet(configuration().greeting, name) });
}

/** What the operator configured. The gateway has checked it against `config_schema` and filled in the defaults. */
function configuration() {
  const variables = Object.fromEntries(getEnvironment());
  return JSON.parse(variables.FRAMEX_PLUGIN_CONFIG ?? '{"greeting": "Hello"}');
}
