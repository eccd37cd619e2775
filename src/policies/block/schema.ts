/** Config of the block policy. */
import { type Infer, s } from '../compile-kit.js';
import { blockProblem } from '../kits/addresses.js';
import { agentProblem, type ListEntry, type ListKind, refererProblem } from './entries.js';

const url = () =>
  s.reference('an http or https URL', (text) => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) return 'Expected an http or https URL.';
    return parsed.username === '' && parsed.password === '' ? undefined : 'The URL must not contain credentials.';
  });

const list = s.object({
  name: s
    .string({ pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, expected: 'a name of letters, digits, `.`, `_` and `-`' })
    .describe('Name of the list, for the access log and `gw explain`.', 'scanners'),
  of: s.enum('addresses', 'agents', 'referers').describe('What the list contains.').default('addresses'),
  file: s
    .string({ nonEmpty: true })
    .describe(
      'File with the list, relative to the spec. A change of the file reloads the gateway.',
      'lists/scanners.txt',
    )
    .optional(),
  url: url().describe('URL of the list, instead of `file`. gw fetches it in the background.').optional(),
  refresh: s.duration({ min: 10_000 }).describe('Time between two fetches of `url`.').default(3_600_000),
});

const entries = (what: string, example: string, problem: (text: string) => string | undefined) =>
  s
    .array(s.string({ nonEmpty: true }).check('schema/format', problem))
    .describe(what, [example])
    .default([]);

export const schema = s.object({
  addresses: entries('Addresses and CIDR blocks of clients.', '203.0.113.0/24', blockProblem),
  agents: entries('Texts that are part of `User-Agent`, in any case.', 'sqlmap', agentProblem),
  without_agent: s.boolean().describe('Block requests without `User-Agent` too.').default(false),
  referers: entries('Hosts in `Referer`, with their subdomains.', 'spam.example', refererProblem),
  lists: s.array(list).describe('Lists from files and URLs.').default([]),
  observe: s.boolean().describe('Let every request pass, and only record which ones would be blocked.').default(false),
  wait: s.duration({ min: 100 }).describe('How long a load waits for the first fetch of the lists.').default(5_000),
  require_lists: s
    .boolean()
    .describe('Reject a load if a list cannot be fetched. Otherwise the policy works without the list until it can.')
    .default(false),
});

export type BlockConfig = Infer<typeof schema>;

/** A list of the spec: inline, or from a file. */
export type StaticList = { readonly name: string; readonly of: ListKind; readonly entry: ListEntry };

/** A list that the duty fetches. */
export type FetchedList = {
  readonly name: string;
  readonly of: ListKind;
  readonly url: string | { readonly $ref: string };
  /** Milliseconds. */
  readonly refresh: number;
};

export type BlockSettings = {
  readonly lists: readonly StaticList[];
  readonly fetched: readonly FetchedList[];
  readonly withoutAgent: boolean;
  readonly observe: boolean;
};
