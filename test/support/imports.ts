/** The imports of the sources, read from their text. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

export interface Import {
  /** Relative to the root, with slashes: `src/cli/main.ts`. */
  readonly from: string;
  /** A file as above, or a package's name (`node:fs`, `ink`). */
  readonly to: string;
  readonly inside: boolean;
  /** `import type`: removed by compilation. */
  readonly typeOnly: boolean;
  /** `import()`: loaded on demand. */
  readonly lazy: boolean;
}

export function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

const STATIC = /^(?:import|export)\s+(type\s+)?(?:[\w*{][^;'"]*?\sfrom\s+)?'([^']+)'/gm;
/** An inline type (`import('./x.js').Name`) is not an import at run time. */
const LAZY = /\bimport\(\s*'([^']+)'\s*\)(\.[A-Z])?/g;

export function importsOf(root: string, file: string): Import[] {
  const text = withoutComments(readFileSync(join(root, file), 'utf8'));
  const found: Import[] = [];
  for (const [, type, to = ''] of text.matchAll(STATIC)) {
    found.push({ from: file, ...target(root, file, to), typeOnly: type !== undefined, lazy: false });
  }
  for (const [, to = '', asType] of text.matchAll(LAZY)) {
    found.push({ from: file, ...target(root, file, to), typeOnly: asType !== undefined, lazy: true });
  }
  return found;
}

function target(root: string, from: string, to: string): { to: string; inside: boolean } {
  if (!to.startsWith('.')) return { to: packageName(to), inside: false };
  const path = posix.join(dirname(from).replaceAll('\\', '/'), to).replace(/\.js$/, '');
  const file = [`${path}.ts`, `${path}.tsx`].find((candidate) => {
    try {
      readFileSync(join(root, candidate));
      return true;
    } catch {
      return false;
    }
  });
  return { to: file ?? path, inside: true };
}

function packageName(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Removes comments, which may contain example imports. Strings with comment marks lose their rest: harmless here. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

/** Every cycle's first found walk: `a -> b -> a`. */
export function cycles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk: string[] = [];
  const visit = (node: string): void => {
    const start = walk.indexOf(node);
    if (start !== -1) found.push([...walk.slice(start), node].join(' -> '));
    if (start !== -1 || done.has(node)) return;
    walk.push(node);
    for (const next of edges.get(node) ?? []) visit(next);
    walk.pop();
    done.add(node);
  };
  for (const node of edges.keys()) visit(node);
  return found;
}
