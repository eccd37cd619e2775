/** The requests that the clients of the benchmark send. */
import { seededBelow } from '../../test/support/random.js';
import type { Setting } from './setting.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Body sizes in bytes, by the last segment of the path below /bytes. */
export const SIZES: { readonly [name: string]: number } = {
  '1k': KIB,
  '100k': 100 * KIB,
  '64k': 64 * KIB,
  '10m': 10 * MIB,
};

/**
 * Prefixes of generated routes, shaped like a real route table: areas with many things each. A request appends a number
 * to the prefix.
 */
export function routePaths(count: number): string[] {
  const paths: string[] = [];
  for (let i = 1; i < count; i++) paths.push(`/area-${i % 97}/things-${i}`);
  return paths;
}

/** A Lua script for wrk that requests these paths in turn; all requests are prepared before the load begins. */
export function scriptOfPaths(setting: Setting, name: string, paths: readonly string[]): string {
  const list = setting.write(`${name}.txt`, `${paths.join('\n')}\n`);
  return setting.write(
    `${name}.lua`,
    `local requests = {}
local at = 0
function init(args)
  for path in io.lines("${list}") do requests[#requests + 1] = wrk.format("GET", path) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`,
  );
}

/** `count` paths spread over the table, the same in every run. */
export function spreadPaths(routes: number, count: number): string[] {
  const known = routePaths(routes);
  const next = seededBelow(routes);
  const paths: string[] = [];
  for (let i = 0; i < count; i++) {
    paths.push(known.length === 0 ? `/items/${next(1000)}` : `${known[next(known.length)]}/${next(1000)}`);
  }
  return paths;
}

/** A Lua script for wrk that posts a body of `bytes` bytes. */
export function scriptOfUpload(setting: Setting, bytes: number): string {
  return setting.write(
    `upload-${bytes}.lua`,
    `wrk.method = "POST"
wrk.path = "/upload"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = string.rep("x", ${bytes})
`,
  );
}
