/** Compile part of block. */
import { declarePolicy } from '../compile-kit.js';
import type { PolicyContext } from '../contract.js';
import { entryOf, type ListKind, readList } from './entries.js';
import { lintLists } from './lint.js';
import { PROBLEMS } from './problems.js';
import { type BlockConfig, type BlockSettings, type StaticList, schema } from './schema.js';

export default declarePolicy<BlockConfig, BlockSettings>({
  use: 'block',
  summary: 'Refuses requests by address, user agent or referer, with lists that are refreshed',
  phase: 'guard',
  stateful: false,
  schema,
  problems: Object.values(PROBLEMS),
  // Fetched lists stay when anything else changes.
  stateKey: ({ lists }) => lists.flatMap(({ name, of, url }) => (url === undefined ? [] : [[name, of, url]])),
  duty: ({ lists, require_lists, wait }) =>
    lists.some(({ url }) => url !== undefined) ? { wait, required: require_lists } : undefined,
  codes: [
    { code: 'block/nothing', severity: 'error', summary: 'A block policy blocks nothing' },
    {
      code: 'block/list',
      severity: 'error',
      summary: 'A list of a block policy has no source, two, or a name of another',
    },
    { code: 'block/file', severity: 'error', summary: 'A list of a block policy cannot be read from its file' },
    {
      code: 'block/plain-http',
      severity: 'warning',
      summary: 'A list of a block policy is fetched over plain HTTP',
    },
  ],
  lint: lintLists,
  compile(config, context) {
    const { addresses, agents, lists, observe, referers, without_agent } = config;
    const inline = (of: ListKind, entries: readonly string[]): StaticList[] =>
      entries.length === 0 ? [] : [{ name: of, of, entry: entryOf(entries, of) }];
    return {
      lists: [
        ...inline('addresses', addresses),
        ...inline('agents', agents),
        ...inline('referers', referers),
        ...lists.flatMap((list) => fromFile(list, context)),
      ],
      fetched: lists.flatMap(({ name, of, refresh, url }) => (url === undefined ? [] : [{ name, of, url, refresh }])),
      withoutAgent: without_agent,
      observe,
    };
  },
});

function fromFile({ file, name, of }: BlockConfig['lists'][number], context: PolicyContext): StaticList[] {
  if (file === undefined) return [];
  const { text } = context.readFile(file);
  const entry = text === undefined ? undefined : readList(text, of);
  // lint() has reported it.
  return entry === undefined || 'message' in entry ? [] : [{ name, of, entry }];
}
