/** Writes the derived parts of docs/errors.md: errors of gw, errors of policies and actions, errors without a route. */
import { DESCRIPTIONS } from '../proxy/errors/descriptions.js';
import { ERRORS, type ErrorSlug } from '../proxy/errors/errors.js';
import { actionDeclarations, policyDeclarations } from '../spec/index.js';

type Declared = NonNullable<(typeof policyDeclarations)[number]['problems']>[number];

const slugs = Object.keys(ERRORS) as ErrorSlug[];

/** The page with its derived parts, which are between `<!-- NAME -->` and `<!-- end -->`, written anew. */
export function errorsPage(page: string): string {
  const parts: { readonly [name: string]: () => readonly string[] } = {
    errors: errorTable,
    problems: problemTable,
    routeless: () => slugs.filter((slug) => DESCRIPTIONS[slug].routeless).map((slug) => `- \`${slug}\``),
  };
  return page.replace(
    /(<!-- ([a-z]+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (whole, start: string, name: string, end: string) =>
      parts[name] === undefined ? whole : `${start}${parts[name]().join('\n')}${end}`,
  );
}

function errorTable(): string[] {
  const rows = slugs.map((slug) => {
    const { status } = ERRORS[slug];
    return `| \`${slug}\` | ${status === 0 ? '-' : status} | ${DESCRIPTIONS[slug].when} |`;
  });
  return ['| error | status | when |', '|---|---|---|', ...rows];
}

/** Kinds may share an error; their titles may differ. */
function problemTable(): string[] {
  const known = new Map<string, { readonly problem: Declared; readonly kinds: string[] }>();
  for (const { problems = [], use } of [...policyDeclarations, ...actionDeclarations]) {
    for (const problem of problems) {
      const key = `${problem.code} ${problem.status} ${problem.title}`;
      const same = known.get(key);
      if (same === undefined) known.set(key, { problem, kinds: [use] });
      else same.kinds.push(use);
    }
  }
  const sorted = [...known].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = sorted.map(([, { problem, kinds }]) => {
    const of = kinds.map((kind) => `\`${kind}\``).join(', ');
    const { code, description, status, title } = problem;
    return `| \`${code}\` | ${status} | ${title} | ${of} | ${description.replaceAll('|', '\\|')} |`;
  });
  return ['| error | status | title | of | when |', '|---|---|---|---|---|', ...rows];
}
