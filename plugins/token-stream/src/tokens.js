// What the plugin does, in plain JavaScript, so that `node --test` can run it.

/** Cuts a text into pieces the way a language model gives its answer: words with the space before them. */
export function tokens(text) {
  return text.match(/\s*\S+/g) ?? [];
}

/** One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export function event(name, data) {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
