/** What wrk prints at its end. */

export interface Load {
  readonly requests: number;
  /** Bytes of replies, heads with them. */
  readonly bytes: number;
  /** Requests a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
  /** What wrk complained about; empty when every reply was a good one. */
  readonly bad: string;
}

/** @throws when the text is no report of wrk. */
export function readReport(text: string): Load {
  const found = /(\d+) requests in [\d.]+\w+, ([\d.]+)(B|KB|MB|GB|TB) read/.exec(text);
  if (!found) throw new Error(`not a report of wrk:\n${text}`);
  const requests = Number(found[1]);
  return {
    requests,
    bytes: Number(found[2]) * 1024 ** ['B', 'KB', 'MB', 'GB', 'TB'].indexOf(found[3]!),
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    bad: requests === 0 ? 'no reply at all' : complaint(text),
  };
}

const complaint = (text: string): string =>
  text
    .split('\n')
    .filter((line) => /Non-2xx|Socket errors/.test(line))
    .map((line) => line.trim())
    .join('; ');

function milliseconds(found: RegExpExecArray | null): number {
  const scale = { us: 0.001, ms: 1, s: 1000 }[found?.[2] ?? 'ms'] ?? 1;
  return Number(found?.[1] ?? Number.NaN) * scale;
}
