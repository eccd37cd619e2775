import type { Snapshot } from '../../telemetry/snapshot.js';
import { fitLine, type Line, span } from '../line.js';
import type { Theme } from '../theme.js';

/** Lines in the middle of a block of `columns` by `rows`, for an empty list. */
export function centred(lines: readonly Line[], columns: number, rows: number, theme: Theme): Line[] {
  const widest = Math.max(0, ...lines.map((line) => line.reduce((sum, part) => sum + part.text.length, 0)));
  const indent = span(' '.repeat(Math.max(0, Math.floor((columns - widest) / 2))));
  const above = Math.max(0, Math.floor((rows - lines.length) / 2));
  const out: Line[] = Array.from({ length: above }, () => []);
  for (const line of lines) out.push([indent, ...line]);
  while (out.length < rows) out.push([]);
  return out.slice(0, Math.max(0, rows)).map((line) => fitLine(line, columns, theme));
}

/** An example request to the first listener, with an address that works from this machine. */
export function curlExample(snapshot: Snapshot | undefined): string {
  const [listener] = snapshot?.listeners ?? [];
  if (!listener) return 'curl -i http://127.0.0.1:8080/';
  const address = listener.address.replace(/^(0\.0\.0\.0|\[::\]|::|\*)(?=:\d+$)/, '127.0.0.1');
  return `curl -i${listener.tls ? 'k https' : ' http'}://${address}/`;
}
