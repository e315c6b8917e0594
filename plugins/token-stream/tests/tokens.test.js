// Run from the plugin's folder: npm test

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { event, tokens } from '../src/tokens.js';

test('nothing of the text is lost between the tokens', () => {
  const text = 'To be, or not\n  to be';
  assert.deepEqual(tokens(text), ['To', ' be,', ' or', ' not', '\n  to', ' be']);
  assert.equal(tokens(text).join(''), text);
  assert.deepEqual(tokens(''), []);
});

test('a line break in a token does not end its event', () => {
  assert.equal(event('token', { text: '\nto' }), 'event: token\ndata: {"text":"\\nto"}\n\n');
});
