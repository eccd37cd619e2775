/** What the tests covered, a room a line, from the raw V8 coverage of every process and thread that they started. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './ensure.mjs';

/** Per cent of lines and of branches. */
const FLOOR = 90;
const ROOMS_WITH_FLOOR = ['spec', 'lint', 'compiler', 'bundle', 'policies', 'proxy'];

/** Sources with something to run that no test loaded; those of types alone compile to nothing. */
function neverLoaded(counted) {
  return readdirSync(join(ROOT, 'src'), { recursive: true })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => join(ROOT, 'src', path))
    .filter((file) => !(file in counted))
    .filter((file) => {
      const compiled = join(ROOT, 'dist', relative(ROOT, file)).replace(/\.tsx?$/, '.js');
      const code = existsSync(compiled) ? readFileSync(compiled, 'utf8') : '';
      return code.replace(/\/\*[\s\S]*?\*\/|\/\/.*|export \{\};/g, '').trim() !== '';
    });
}

/**
 * Prints a table and returns a line for each room below its floor.
 * @param {string} raw folder that NODE_V8_COVERAGE named
 */
export async function reportCoverage(raw) {
  const folder = join(ROOT, 'coverage');
  const c8 = join(ROOT, 'node_modules', 'c8', 'bin', 'c8.js');
  const args = [c8, 'report', '--temp-directory', raw, '--reports-dir', folder];
  args.push('--exclude-after-remap', '--include', 'src/**', '--reporter', 'json-summary', '--reporter', 'lcovonly');
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  const summary = join(folder, 'coverage-summary.json');
  if (status !== 0 || !existsSync(summary)) return [`coverage report failed: ${stderr.trim()}`];

  const counted = JSON.parse(readFileSync(summary, 'utf8'));
  const rooms = new Map();
  const add = (file, lines, branches) => {
    const [top, room = ''] = relative(ROOT, file).split(/[\\/]/);
    if (top !== 'src') return;
    const name = room.includes('.') ? '(root)' : room;
    const sum = rooms.get(name) ?? { lines: [0, 0], branches: [0, 0] };
    for (const [kind, { covered, total }] of Object.entries({ lines, branches })) {
      sum[kind][0] += covered;
      sum[kind][1] += total;
    }
    rooms.set(name, sum);
  };
  for (const [file, { lines, branches }] of Object.entries(counted)) add(file, lines, branches);
  for (const file of neverLoaded(counted)) {
    add(file, { covered: 0, total: readFileSync(file, 'utf8').split('\n').length }, { covered: 0, total: 1 });
  }

  const missed = [];
  console.log('\ncoverage      lines  branches');
  for (const [name, { lines, branches }] of [...rooms].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const shares = [lines, branches].map(([covered, all]) => (all === 0 ? 100 : (100 * covered) / all));
    console.log(`${name.padEnd(12)} ${shares.map((share) => `${share.toFixed(1)} %`.padStart(7)).join('   ')}`);
    if (ROOMS_WITH_FLOOR.includes(name) && Math.min(...shares) < FLOOR) {
      missed.push(`coverage of ${name} is below ${FLOOR} % of lines or branches`);
    }
  }
  return missed;
}
