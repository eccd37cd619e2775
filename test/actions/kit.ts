/** Runs requests against a spec offline. */
import type { Bundle } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { OfflinePlane, type OfflineRequest } from '../../src/proxy/offline.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { virtualClock } from '../support/virtual-clock.js';

export interface RunReply {
  readonly status: number | null;
  readonly error: string | null;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The bundle of a spec that must have no errors. */
export function bundleOf(text: string, path = 'gateway.toml'): Bundle {
  const { value, diagnostics } = checkSpec({ path, text });
  const error = diagnostics.find(({ severity }) => severity === 'error');
  if (error !== undefined || value === undefined) throw new Error(`${error?.code}: ${error?.message}`);
  return compile(value).bundle;
}

/** Returns the function that sends a request: `GET /x?y=1`. The peer's address is 192.0.2.1. */
export function runner(text: string, path?: string) {
  const { program, sha256, trie } = bundleOf(text, path);
  const stats = { chunks: [], routes: [], unmatched: 0, targets: [], listeners: [] };
  const limits = new LimitTable(LimitTable.allocate({ slots: 64 }));
  const plane = new OfflinePlane(
    { id: 1, sha256, program, trie: trie as ArrayBuffer, stats },
    { clock: virtualClock(() => 1_000_000), limits },
  );
  return async (
    request: string,
    headers: { readonly [name: string]: string } = {},
    more: Partial<OfflineRequest> = {},
  ): Promise<RunReply> => {
    const [method = '', url = ''] = request.split(' ');
    const { error, reply, status } = await plane.run({ method, url, headers, remoteAddress: '192.0.2.1', ...more });
    return { status, error, headers: new Map(reply?.headers), body: reply?.body ?? '' };
  };
}
