/** Compile part of basic. */
import { declarePolicy } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { costOf } from '../kits/password/hash.js';
import { type FileUser, readHtpasswd } from './htpasswd.js';
import { PROBLEMS } from './problems.js';
import { ATTEMPTS, type BasicConfig, type BasicSettings, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;

export default declarePolicy<BasicConfig, BasicSettings>({
  use: 'basic',
  summary: 'Authenticates callers by user name and password',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  // Who has logged in from where does not depend on the file.
  stateKey: ({ realm }) => realm,
  traits: ({ optional }) => ({
    authenticates: !optional,
    grants: [],
    claims: ['sub'],
    ownsRequestFields: ['authorization'],
  }),
  problems: Object.values(PROBLEMS),
  codes: [
    { code: 'basic/file', severity: 'error', summary: 'A file of users of a basic policy cannot be used' },
    { code: 'basic/hash', severity: 'error', summary: 'A password hash is of a weak kind or too costly' },
    { code: 'basic/duplicate-user', severity: 'error', summary: 'Two lines of the files of users have the same name' },
    { code: 'basic/no-users', severity: 'warning', summary: 'A basic policy has no user' },
  ],
  lint(config, context, report) {
    const found = lintFiles(config, context, report);
    if (found > 0 || config.optional || context.routes.length === 0) return;
    if (config.consumers && context.consumers.some(({ credentials }) => credentials.includes('password'))) return;
    report({
      code: 'basic/no-users',
      severity: 'warning',
      at: config.users === undefined ? [] : ['users'],
      message: 'This policy requires a user name and a password, but it has no users: every request gets 401.',
      help: 'Set `users = "users.htpasswd"` to a file that `htpasswd -B -C 10 -c users.htpasswd NAME` writes, or give consumers a `username` and a `password`.',
    });
  },
  compile({ users: paths = [], consumers, attempts = ATTEMPTS, optional, realm }, context) {
    const byName = new Map<string, FileUser>();
    for (const path of paths)
      for (const user of readHtpasswd(context.readFile(path).text ?? '').users) byName.set(user.name, user);
    const costs: Record<string, number> = {};
    for (const { hash } of byName.values()) costs[costOf(hash)] = (costs[costOf(hash)] ?? 0) + 1;
    const names = [...byName.keys()].sort();
    return {
      users: names.map((name) => `${name}:${byName.get(name)!.hash.text}\n`).join(''),
      costs,
      consumers,
      // The first one by its end, which is random: an edit of other users does not change it.
      mark: [...byName.values()].map(({ hash }) => hash.text.slice(-22)).sort()[0] ?? '',
      attempts: attempts === false ? null : attempts,
      optional,
      realm,
    };
  },
});

/** Reports what is wrong with the files. Returns the number of users; at least 1 if a file has a fault. */
function lintFiles({ users: paths = [] }: BasicConfig, context: PolicyContext, report: Report): number {
  const seen = new Set<string>();
  let found = 0;
  for (const [index, path] of paths.entries()) {
    const at = ['users', index];
    const { text, cause } = context.readFile(path);
    if (text === undefined) {
      const message = `The file \`${path}\` cannot be read: ${cause}.`;
      report({ code: 'basic/file', severity: 'error', at, message, help: FILE_HELP });
      found++;
      continue;
    }
    const { users, faults } = readHtpasswd(text);
    found += users.length + faults.length;
    for (const { what, fault, help, start, end } of faults.slice(0, MAX_FAULTS)) {
      const code = what === 'hash' ? 'basic/hash' : 'basic/file';
      const part = { text, start, end, file: path };
      const message = `The ${what === 'hash' ? 'password hash' : 'line'} ${fault}.`;
      report({ code, severity: 'error', at, part, sensitive: true, message, help });
    }
    for (const { name, start, end } of users) {
      if (seen.has(name)) {
        const part = { text, start, end, file: path };
        const message = `The user \`${name}\` has two lines.`;
        const help = 'Remove one of them: it would not be clear which password counts.';
        report({ code: 'basic/duplicate-user', severity: 'error', at, part, sensitive: true, message, help });
      }
      seen.add(name);
    }
  }
  return found;
}

/** Of one file. */
const MAX_FAULTS = 20;

const FILE_HELP =
  'Paths are relative to the folder of the root spec. `htpasswd -B -C 10 -c FILE NAME` writes such a file.';
