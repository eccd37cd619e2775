/** Pages in docs/ from the READMEs of policies and actions, which are beside their code and not part of the npm package. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const KINDS = ['policies', 'actions'];

/** All pages: their paths in the repository, and their texts. */
export function readmePages(root) {
  return KINDS.flatMap((kind) => {
    const folder = join('src', kind);
    const names = readdirSync(join(root, folder)).filter((name) => existsSync(join(root, folder, name, 'README.md')));
    return names.map((name) => {
      const source = join(folder, name, 'README.md');
      const page = join('docs', kind, `${name}.md`);
      return { page, text: pageOf(source, page, readFileSync(join(root, source), 'utf8')) };
    });
  });
}

function pageOf(source, page, readme) {
  const blocks = readme.split(/^(```[\s\S]*?^```)/m);
  const text = blocks.map((part) => (part.startsWith('```') ? part : withLinks(part, source, page))).join('');
  return `<!-- Written by \`npm run reference\` from ${source}. -->\n\n${text}`;
}

const withLinks = (text, source, page) =>
  text.replace(/\]\(([^)\s#]+)(#[^)\s]*)?\)/g, (whole, path, anchor = '') => {
    if (/^[a-z]+:/.test(path)) return whole;
    const target = pageFor(normalize(join(dirname(source), path)));
    return `](${relative(dirname(page), target)}${anchor})`;
  });

/** The page of a README; other files stay. */
const pageFor = (file) => file.replace(/^src\/(policies|actions)\/([^/]+)\/README\.md$/, 'docs/$1/$2.md');
