// Run from the plugin's folder: npm test

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greet } from '../src/greeting.js';

test('it greets by name', () => {
  assert.equal(greet('Hello', 'Ada'), 'Hello, Ada!');
});

test('without a name it greets the world', () => {
  assert.equal(greet('Hello', ' '), 'Hello, world!');
});
