/** Parser of the report that wrk prints. */

export interface Load {
  readonly requests: number;
  /** Bytes of replies, including heads. */
  readonly bytes: number;
  /** Requests per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
  /** The errors that wrk reported; empty if every reply was good. */
  readonly bad: string;
}

/** @throws if the text is not a report of wrk. */
export function readReport(text: string): Load {
  const found = /(\d+) requests in [\d.]+\w+, ([\d.]+)(B|KB|MB|GB|TB) read/.exec(text);
  if (!found) throw new Error(`not a report of wrk:\n${text}`);
  const requests = Number(found[1]);
  return {
    requests,
    bytes: Number(found[2]) * 1024 ** ['B', 'KB', 'MB', 'GB', 'TB'].indexOf(found[3]!),
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    bad: requests === 0 ? 'no reply' : complaint(text),
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
