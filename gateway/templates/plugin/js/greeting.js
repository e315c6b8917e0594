// What the plugin does, in plain JavaScript: no HTTP, so that `node --test` can run it.

export function greet(greeting, name) {
  return `${greeting}, ${name.trim() || 'world'}!`;
}
