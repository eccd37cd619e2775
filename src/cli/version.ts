import { readFileSync } from 'node:fs';

/** The version in gw's package.json. */
export function gwVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
