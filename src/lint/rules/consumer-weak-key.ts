import { createHash } from 'node:crypto';
import type { Rule } from '../rule.js';

/** Keys that are tried first by whoever guesses. */
const GUESSES = [
  '',
  'test',
  'secret',
  'password',
  'changeme',
  'key',
  'api-key',
  'apikey',
  'admin',
  'demo',
  'dev',
  'example',
  'token',
  'foo',
  'bar',
  'hello',
  '123',
  '1234',
  '12345',
  '123456',
  '12345678',
  'qwerty',
  'letmein',
  'default',
];

let hashes: ReadonlyMap<string, string> | undefined;

const guessOf = (hash: string): string | undefined => {
  hashes ??= new Map(GUESSES.map((guess) => [`sha256:${createHash('sha256').update(guess).digest('hex')}`, guess]));
  return hashes.get(hash);
};

const rule: Rule = {
  code: 'consumer/weak-key',
  severity: 'warning',
  summary: 'An API key that is guessed at the first try',
  partial: true,
  check(model, report) {
    for (const consumer of model.consumers) {
      for (const [index, key] of consumer.config.api_keys.entries()) {
        const guess = typeof key === 'string' ? guessOf(key) : undefined;
        if (guess === undefined) continue;
        report({
          span: consumer.at.spanOf('api_keys', index),
          entity: `consumer.${consumer.name}`,
          message:
            guess === ''
              ? `This is the hash of the empty text: the key of \`${consumer.name}\` went missing on its way to the hash.`
              : `The API key of \`${consumer.name}\` is the word \`${guess}\`: anybody guesses it.`,
          help: 'Make a random one: `openssl rand -hex 24`, then `printf %s KEY | sha256sum`.',
        });
      }
    }
  },
};
export default rule;
