/** What the tests covered, a room a line, from the raw V8 coverage of every process and thread that they started. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './ensure.mjs';

/** Per cent of lines and of branches. */
const FLOOR = 90;
const ROOMS_WITH_FLOOR = ['spec', 'lint', 'compiler', 'bundle', 'policies', 'proxy'];

/**
 * Prints a table and returns a line for each room below its floor.
 * @param {string} raw folder that NODE_V8_COVERAGE named
 */
export async function reportCoverage(raw) {
  const folder = join(ROOT, 'coverage');
  const c8 = join(ROOT, 'node_modules', 'c8', 'bin', 'c8.js');
  const args = [c8, 'report', '--temp-directory', raw, '--reports-dir', folder, '--all', '--src', 'dist/src'];
  args.push('--exclude-after-remap', '--include', 'src/**', '--reporter', 'json-summary', '--reporter', 'lcovonly');
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  const summary = join(folder, 'coverage-summary.json');
  if (status !== 0 || !existsSync(summary)) return [`coverage report failed: ${stderr.trim()}`];

  const rooms = new Map();
  for (const [file, counts] of Object.entries(JSON.parse(readFileSync(summary, 'utf8')))) {
    const [top, room = ''] = relative(ROOT, file).split(/[\\/]/);
    if (top !== 'src') continue;
    const name = room.includes('.') ? '(root)' : room;
    const sum = rooms.get(name) ?? { lines: [0, 0], branches: [0, 0] };
    for (const kind of ['lines', 'branches']) {
      sum[kind][0] += counts[kind].covered;
      sum[kind][1] += counts[kind].total;
    }
    rooms.set(name, sum);
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
