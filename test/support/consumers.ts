/** Consumers for tests. */
import { createHash } from 'node:crypto';
import type { ConsumerEntry, CredentialEntry } from '../../src/bundle/types.js';

export const digestOfKey = (key: string): string => createHash('sha256').update(key).digest('hex');

/** The credential of an API key, named like those of `api_keys`. */
export const keyCredential = (key: string, index = 0, extra: Partial<CredentialEntry> = {}): CredentialEntry => ({
  kind: 'key',
  name: `key-${index + 1}`,
  id: `sha256:${digestOfKey(key)}`,
  ...extra,
});

/** A consumer with these API keys. */
export const consumerWith = (
  name: string,
  keys: readonly string[],
  extra: Partial<ConsumerEntry> = {},
): ConsumerEntry => ({
  name,
  groups: [],
  tags: {},
  credentials: keys.map((key, index) => keyCredential(key, index)),
  ...extra,
});
