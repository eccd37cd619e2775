/** Lists as text: one entry per line with comments, or a JSON array. Used by the compile part, the duty and the run part. */
import { type AddressBlock, type AddressSetEntry, blockProblem, encodeBlocks, parseBlock } from '../kits/addresses.js';

export type ListKind = 'addresses' | 'agents' | 'referers';

/** A list as workers test it. */
export type ListEntry = AddressSetEntry | { readonly texts: readonly string[] };

/** Entries of one list. Each agent is looked for in the whole field, so there are fewer of them. */
const MOST_ENTRIES: { readonly [kind in ListKind]: number } = {
  addresses: 100_000,
  agents: 1000,
  referers: 100_000,
};

const LONGEST = 256;

/** Why a text cannot be part of `User-Agent`; undefined if it can. */
export const agentProblem = (text: string): string | undefined =>
  text.length <= LONGEST && /^[\x20-\x7e]+$/.test(text)
    ? undefined
    : `Expected a part of \`User-Agent\` in printable ASCII, at most ${LONGEST} characters.`;

/** Why a text is not the host of a `Referer`; undefined if it is. */
export const refererProblem = (text: string): string | undefined =>
  text.length <= LONGEST && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(text)
    ? undefined
    : `Expected a host name such as \`"spam.example"\`, found \`${text.slice(0, 60)}\`.`;

/** What is wrong with an entry. */
const PROBLEM_OF: { readonly [kind in ListKind]: (text: string) => string | undefined } = {
  addresses: blockProblem,
  agents: agentProblem,
  referers: refererProblem,
};

export interface ListFault {
  readonly message: string;
  /** Offsets in the text. */
  readonly start: number;
  readonly end: number;
}

/** Reads a list; the fault if it is none. A list with a fault is not used at all: half an error page is no list. */
export function readList(text: string, of: ListKind): ListEntry | ListFault {
  const whole = { start: 0, end: Math.min(text.length, 1) };
  const found = text.trimStart().startsWith('[') ? jsonEntries(text) : lineEntries(text, of);
  if ('message' in found) return { ...found, ...whole };
  if (found.length > MOST_ENTRIES[of])
    return { message: `The list has ${found.length} entries; at most ${MOST_ENTRIES[of]} are possible.`, ...whole };
  for (const { entry, start, end } of found) {
    const message = PROBLEM_OF[of](entry);
    if (message !== undefined) return { message, start, end };
  }
  return entryOf(
    found.map(({ entry }) => entry),
    of,
  );
}

interface Line {
  readonly entry: string;
  readonly start: number;
  readonly end: number;
}

function jsonEntries(text: string): readonly Line[] | { readonly message: string } {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return { message: 'The list is not valid JSON.' };
  }
  if (!Array.isArray(list) || list.some((entry) => typeof entry !== 'string'))
    return { message: 'The list must be a JSON array of texts.' };
  return (list as string[]).map((entry) => ({ entry, start: 0, end: 1 }));
}

/** One entry per line. Comments begin with `#`, and with `;` in lists of addresses, where they may follow an entry. */
function lineEntries(text: string, of: ListKind): readonly Line[] | { readonly message: string } {
  const lines: Line[] = [];
  let offset = 0;
  for (const line of text.split('\n')) {
    const without = of === 'agents' ? line.replace(/^\s*#.*/, '') : line.replace(/[#;].*/, '');
    const entry = without.trim();
    if (entry !== '') {
      const start = offset + without.indexOf(entry);
      lines.push({ entry, start, end: start + entry.length });
    }
    offset += line.length + 1;
  }
  return lines.length === 0 ? { message: 'The list is empty. Write `[]` if that is meant.' } : lines;
}

/** The form that workers test. The entries are valid. */
export function entryOf(entries: readonly string[], of: ListKind): ListEntry {
  if (of !== 'addresses') return { texts: [...new Set(entries.map((entry) => entry.toLowerCase()))] };
  return encodeBlocks(
    entries.map((entry) => parseBlock(entry)).filter((block): block is AddressBlock => block !== undefined),
  );
}
