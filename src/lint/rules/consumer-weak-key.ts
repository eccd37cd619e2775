import { createHash } from 'node:crypto';
import type { Rule } from '../rule.js';

/** Keys that an attacker tries first. */
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
  summary: 'An API key is a common word',
  partial: true,
  check(model, report) {
    for (const consumer of model.consumers) {
      for (const { entry, at } of consumer.credentials) {
        const guess = entry.kind === 'key' && typeof entry.id === 'string' ? guessOf(entry.id) : undefined;
        if (guess === undefined) continue;
        report({
          span: consumer.at.spanOf(...at),
          entity: `consumer.${consumer.name}`,
          message:
            guess === ''
              ? `The API key of consumer \`${consumer.name}\` is empty: this is the hash of an empty string.`
              : `The API key of consumer \`${consumer.name}\` is \`${guess}\`, which is easy to guess.`,
          help: 'Create a random key with `openssl rand -hex 24`, then hash it with `printf %s KEY | sha256sum`.',
        });
      }
    }
  },
};
export default rule;
