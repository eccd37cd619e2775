import { createHash } from 'node:crypto';
import type { CredentialEntry } from '../../bundle/types.js';
import type { Span } from '../../schema/diagnostic.js';
import type { Finding, Rule } from '../rule.js';

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
    for (const { name, credentials, at } of model.consumers) {
      for (const credential of credentials) {
        const guess = weakness(credential.entry);
        if (guess !== undefined) report(finding(name, guess, at.spanOf(...credential.at)));
      }
    }
    let reported = 0;
    for (const { name, credentials } of model.stored.entries()) {
      const guess = credentials.map(weakness).find((each) => each !== undefined);
      const span = guess === undefined ? undefined : model.stored.placeOf(name);
      if (guess !== undefined && span !== undefined) report(finding(name, guess, span));
      if (guess !== undefined && ++reported === MOST_REPORTED) return;
    }
  },
};

/** Of files of consumers, which may have very many. */
const MOST_REPORTED = 20;

const weakness = ({ kind, id }: CredentialEntry): string | undefined =>
  kind === 'key' && typeof id === 'string' ? guessOf(id) : undefined;

const finding = (name: string, guess: string, span: Span): Finding => ({
  span,
  entity: `consumer.${name}`,
  message:
    guess === ''
      ? `The API key of consumer \`${name}\` is empty: this is the hash of an empty string.`
      : `The API key of consumer \`${name}\` is \`${guess}\`, which is easy to guess.`,
  help: 'Replace it: `gw keys new CONSUMER` writes the hash of a random key.',
});

export default rule;
