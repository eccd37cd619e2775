/** Runs compiled test files in processes of their own, and counts what they report. Used by `npm test` and `npm run drills`. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ROOT } from './ensure.mjs';

/** Milliseconds from the last test to the end of the process: whatever is still open then was left open by a test. */
const END_TIMEOUT = 20_000;
const TESTS = join(ROOT, 'dist', 'test');
const HOST = join(ROOT, 'scripts', 'test-host.mjs');
/** Stands between the output of two files. No test prints it. */
const MARK = '\x1e';

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

/** Starts a process for the files, with an environment that does not depend on the caller's terminal. */
function startHost(files, coverageFolder) {
  const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, CI: undefined };
  for (const name of Object.keys(env)) if (env[name] === undefined || name.startsWith('npm_')) delete env[name];
  if (coverageFolder !== undefined) env.NODE_V8_COVERAGE = coverageFolder;
  return spawn(process.execPath, ['--enable-source-maps', HOST, MARK, TESTS, ...files], {
    cwd: ROOT,
    env,
    // Its own group, so that a hung test goes with its children.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * Runs compiled test files in one process, one after the other.
 * @param {readonly string[]} files paths below dist/test
 * @param {{ timeout: number, coverageFolder?: string }} options `timeout` of one file, in milliseconds
 * @param {(result: object) => void} ended takes the result of each file
 * @returns {Promise<readonly string[]>} the files that did not begin, since the process ended within one before them
 */
function runTogether(files, { timeout, coverageFolder }, ended) {
  return new Promise((resolve) => {
    const child = startHost(files, coverageFolder);
    running.add(child);
    const waiting = [...files];
    let current;
    const stop = () => {
      current.timedOut = true;
      kill(child);
    };
    const begin = () => {
      const timer = setTimeout(stop, timeout);
      current = {
        file: waiting.shift(),
        output: '',
        timedOut: false,
        timer,
        ending: undefined,
        begun: performance.now(),
      };
    };
    const end = (code, signal) => {
      const { file, output, timedOut, timer, ending, begun } = current;
      clearTimeout(timer);
      clearTimeout(ending);
      ended({ file, output, timedOut, code, signal, timeout, tookMs: performance.now() - begun });
    };
    const add = (text) => {
      current.output += text;
      if (current.ending === undefined && /^\s*Duration:/m.test(current.output)) {
        current.ending = setTimeout(stop, END_TIMEOUT);
      }
    };
    begin();
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const [rest, ...next] = text.split(MARK);
      add(rest);
      for (const part of next) {
        end(0, null);
        begin();
        add(part);
      }
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      current.output += text;
    });
    let finished = false;
    const finish = () => {
      if (finished) return;
      finished = true;
      running.delete(child);
      kill(child);
      child.stdout.destroy();
      child.stderr.destroy();
      end(child.exitCode, child.signalCode);
      resolve(waiting);
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
  if (!verbose && counted.failed === 0)
    for (const [line] of result.output.matchAll(/^measured: .*$/gm)) console.log(`     ${line}`);
  if (verbose || counted.failed > 0) console.log(result.output.replace(/^/gm, '     | '));
  return counted;
}

/** Prints the closing line, `N passed, N failed[, N skipped]`, and sets the exit code. */
export function close({ passed, failed, skipped }, started) {
  console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/**
 * Runs groups of files, `concurrency` at a time, and adds up what they count. The files of a group share a process; if it ends
 * within one of them, those after it get a new one.
 * @param {readonly { readonly files: readonly string[], readonly covered?: boolean }[]} groups `covered: false`: without coverage
 */
export async function runAll(groups, { concurrency, verbose, timeout, coverageFolder }) {
  const queue = [...groups];
  const total = { passed: 0, failed: 0, skipped: 0 };
  const add = (result) => {
    const counted = report(result, verbose);
    for (const kind of Object.keys(total)) total[kind] += counted[kind];
  };
  const runner = async () => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      const options = { timeout, coverageFolder: group.covered === false ? undefined : coverageFolder };
      let { files } = group;
      while (files.length > 0) files = await runTogether(files, options, add);
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
