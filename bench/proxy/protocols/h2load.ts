/** Load by h2load of nghttp2: HTTP/2 without TLS, many requests at a time on each connection. */
import { outputOf, pinned } from '../processes.js';
import type { Load } from '../wrk-report.js';

export interface Http2Load {
  readonly url: string;
  readonly headers: readonly string[];
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly streams: number;
  readonly seconds: number;
  readonly cores: string;
  /** A file with the body of each request, which is then a POST. */
  readonly body?: string;
}

/**
 * Loads one server.
 * @throws if h2load itself fails; bad replies are reported in `bad`.
 */
export async function loadHttp2(options: Http2Load): Promise<Omit<Load, 'p99'>> {
  const [command, args] = pinned(options.cores, [
    'h2load',
    `-c${options.connections}`,
    `-m${options.streams}`,
    `-D${options.seconds}`,
    ...options.headers.flatMap((header) => ['-H', header]),
    ...(options.body === undefined ? [] : ['-d', options.body]),
    options.url,
  ]);
  return readHttp2Report(await outputOf(command, args));
}

/** @throws if the text is not a report of h2load. */
export function readHttp2Report(text: string): Omit<Load, 'p99'> {
  const speed = /^finished in .*, ([\d.]+) req\/s/m.exec(text);
  const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(text);
  const bytes = /^traffic: .*\((\d+)\) data$/m.exec(text);
  const other = /^status codes: \d+ 2xx, (.*)$/m.exec(text);
  if (!speed || !counts || !bytes || !other) throw new Error(`not a report of h2load:\n${text}`);
  const requests = Number(counts[1]);
  const [failed, errored, late] = [Number(counts[2]), Number(counts[3]), Number(counts[4])];
  const broken = failed + errored + late > 0 ? `${failed} failed, ${errored} errored, ${late} timeouts` : '';
  const status = /[1-9]/.test(other[1]!.replace(/\dxx/g, '')) ? other[1]! : '';
  return {
    requests,
    bytes: Number(bytes[1]),
    rate: Number(speed[1]),
    bad: requests === 0 ? 'no reply' : [broken, status].filter((one) => one !== '').join('; '),
  };
}
