/** The caches of a program: policies that keep contents under URLs. */
import type { PolicyEntry, Program } from '../../bundle/types.js';
import type { PolicyContents } from '../../policies/contract.js';
import { declarationOf } from '../../policies/registry.js';

export interface CachePolicy {
  readonly name: string;
  /** Of its contents. */
  readonly identity: string;
  readonly contents: PolicyContents;
}

export const cachesOf = ({ policies }: Program): readonly CachePolicy[] => policies.flatMap(cacheOf);

function cacheOf(entry: PolicyEntry): CachePolicy[] {
  const contents = entry.code === undefined ? declarationOf(entry.use)?.contents?.(entry.settings) : undefined;
  return contents === undefined
    ? []
    : [{ name: entry.name, identity: entry.stateIdentity ?? entry.identity, contents }];
}

/** Why a call about caches is refused. */
export class CacheError extends Error {
  constructor(
    readonly reason: 'unknown' | 'invalid' | 'ending',
    message: string,
  ) {
    super(message);
  }
}
