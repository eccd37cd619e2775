/** What is wrong with the lists of a config. */
import { isPlainHttp } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { readList } from './entries.js';
import type { BlockConfig } from './schema.js';

type Report = (problem: PolicyProblem) => void;
const INLINE = ['addresses', 'agents', 'referers'] as const;

export function lintLists(config: BlockConfig, context: PolicyContext, report: Report): void {
  const { lists, without_agent } = config;
  if (lists.length === 0 && !without_agent && INLINE.every((key) => config[key].length === 0))
    report({
      code: 'block/nothing',
      severity: 'error',
      at: [],
      message: 'This policy names nothing that it blocks.',
      help: 'Set `addresses`, `agents` or `referers`, or add a list: `lists = [{ name = "scanners", file = "scanners.txt" }]`.',
    });
  const names = new Set<string>(INLINE);
  for (const [index, list] of lists.entries()) {
    const at = ['lists', index] as const;
    const { name, url } = list;
    if (names.has(name))
      report({
        code: 'block/list',
        severity: 'error',
        at: [...at, 'name'],
        message: `Another list of this policy is named \`${name}\`, so the access log could not say which one decided.`,
        help: 'Give the list a name of its own. The keys `addresses`, `agents` and `referers` are lists of these names.',
      });
    names.add(name);
    if ((list.file === undefined) === (url === undefined))
      report({
        code: 'block/list',
        severity: 'error',
        at,
        message: `The list \`${name}\` has ${url === undefined ? 'no source' : 'two sources'}.`,
        help: 'Set `file = "PATH"` or `url = "https://..."`.',
      });
    else if (list.file !== undefined) lintFile(list, list.file, index, context, report);
    if (isPlainHttp(url))
      report({
        code: 'block/plain-http',
        severity: 'warning',
        at: [...at, 'url'],
        message:
          'The list is fetched over plain HTTP, so it can be changed on the way: clients are then blocked, or not, as an attacker wants.',
        help: 'Use an `https` URL.',
      });
  }
}

function lintFile(
  { of, name }: BlockConfig['lists'][number],
  file: string,
  index: number,
  context: PolicyContext,
  report: Report,
): void {
  const at = ['lists', index, 'file'] as const;
  const { text, cause } = context.readFile(file);
  if (text === undefined) {
    const help = 'Correct the path. Paths are relative to the folder of the root spec.';
    report({
      code: 'block/file',
      severity: 'error',
      at,
      message: `The list \`${name}\` cannot be read: ${cause}.`,
      help,
    });
    return;
  }
  const found = readList(text, of);
  if (!('message' in found)) return;
  const { message, start, end } = found;
  report({
    code: 'block/file',
    severity: 'error',
    at,
    part: { text, start, end, file },
    message,
    help: `One entry per line, comments with \`#\`; or a JSON array of texts. This is a list of ${of}.`,
  });
}
