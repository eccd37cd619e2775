/** Runs compiled test files, each in a process of its own, and counts what they report. Used by `npm test` and `npm run drills`. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ROOT } from './ensure.mjs';

/** Milliseconds from the last test to the end of the process: whatever is still open then was left open by a test. */
const END_TIMEOUT = 20_000;
const TESTS = join(ROOT, 'dist', 'test');

const running = new Set();

/**
 * Compiled files below dist/test that end in `suffix`, as paths below dist/test.
 * @param {string} suffix
 * @param {readonly string[]} patterns parts of a path, of which one must occur; none: all files
 */
export function testFiles(suffix, patterns) {
  return readdirSync(TESTS, { recursive: true })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith(suffix))
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)));
}

/** Ends a test file's process with all that it started. */
function kill(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/**
 * Runs one compiled test file in a process of its own.
 * @param {string} file path below dist/test
 * @param {{ timeout: number, coverageFolder?: string }} options `timeout` in milliseconds
 */
function runFile(file, { timeout, coverageFolder }) {
  return new Promise((resolve) => {
    const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, CI: undefined };
    for (const name of Object.keys(env)) if (env[name] === undefined || name.startsWith('npm_')) delete env[name];
    if (coverageFolder !== undefined) env.NODE_V8_COVERAGE = coverageFolder;
    const child = spawn(process.execPath, ['--enable-source-maps', join(TESTS, file)], {
      cwd: ROOT,
      env,
      // Its own group, so that a hung test goes with its children.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const begun = performance.now();
    let output = '';
    let ending;
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (ending === undefined && /^\s*Duration:/m.test(output)) ending = setTimeout(stop, END_TIMEOUT);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    let timedOut = false;
    const stop = () => {
      timedOut = true;
      kill(child);
    };
    const timer = setTimeout(stop, timeout);
    const finish = () => {
      clearTimeout(timer);
      clearTimeout(ending);
      running.delete(child);
      kill(child);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({
        file,
        output,
        code: child.exitCode,
        signal: child.signalCode,
        timedOut,
        timeout,
        tookMs: performance.now() - begun,
      });
    };
    child.on('close', finish);
    // A process that the test left behind may hold the pipes open for good.
    child.on('exit', () => setTimeout(finish, 2000).unref());
  });
}

/** What a finished file counts. uvu closes with `Total: N`, `Passed: N`, `Skipped: N`. A file that ends in any other way has failed. */
function count({ output, code, signal, timedOut, timeout }) {
  const number = (word) => Number(new RegExp(`^\\s*${word}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? Number.NaN);
  const [all, passed, skipped] = [number('Total'), number('Passed'), number('Skipped')];
  if (timedOut && Number.isNaN(all)) {
    return { passed: 0, failed: 1, skipped: 0, note: `no end after ${timeout / 1000} s` };
  }
  if (Number.isNaN(all))
    return { passed: 0, failed: 1, skipped: 0, note: `ran no tests (${signal ?? `exit ${code}`})` };
  const failed = all - passed;
  if (timedOut)
    return { passed, failed: Math.max(1, failed), skipped, note: 'left something open: did not end by itself' };
  if (failed === 0 && code !== 0)
    return { passed, failed: 1, skipped, note: `ended badly (${signal ?? `exit ${code}`})` };
  return { passed, failed, skipped, note: '' };
}

/** Prints a file's line, with its output if it failed. @returns what it counted */
function report(result, verbose) {
  const counted = count(result);
  const name = result.file.replace(/\.(test|drill)\.js$/, '');
  const seconds = (result.tookMs / 1000).toFixed(1);
  const notes = [counted.skipped > 0 ? `${counted.skipped} skipped` : '', counted.note].filter(Boolean).join(', ');
  const verdict = counted.failed > 0 ? 'FAIL' : 'ok  ';
  console.log(`${verdict} ${name}  ${counted.passed} passed, ${seconds} s${notes ? `, ${notes}` : ''}`);
  if (counted.skipped > 0)
    for (const line of new Set(result.output.match(/^skipped, since .*$/gm))) console.log(`     ${line}`);
  if (verbose || counted.failed > 0) console.log(result.output.replace(/^/gm, '     | '));
  return counted;
}

/** Prints the closing line, `N passed, N failed[, N skipped]`, and sets the exit code. */
export function close({ passed, failed, skipped }, started) {
  console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Runs the files, `concurrency` at a time, and adds up what they count. */
export async function runAll(files, { concurrency, verbose, ...options }) {
  const queue = [...files];
  const total = { passed: 0, failed: 0, skipped: 0 };
  const runner = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const counted = report(await runFile(file, options), verbose);
      for (const kind of Object.keys(total)) total[kind] += counted[kind];
    }
  };
  await Promise.all(Array.from({ length: concurrency }, runner));
  return total;
}

function interrupted() {
  for (const child of running) kill(child);
  process.exit(1);
}
process.on('SIGINT', interrupted);
process.on('SIGTERM', interrupted);
