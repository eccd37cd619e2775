/** `gw serve` as a process, for tests that send it signals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder, until } from './control-kit.js';

const runtimeDir = temporaryFolder();
const serving = new Set<Served>();

/** Stops the processes that a test has left running. */
export function killServed(): void {
  for (const one of serving) one.child.kill('SIGKILL');
  serving.clear();
}

const SERVE = new URL('../../src/control/serve.js', import.meta.url).href;
const runner = join(temporaryFolder(), 'serve.mjs');
writeFileSync(
  runner,
  `
  import { runServe } from '${SERVE}';
  const options = JSON.parse(process.argv[2]);
  process.on('SIGUSR2', () => { throw new Error('thrown by nobody'); });
  process.on('SIGWINCH', () => void Promise.reject(new Error('awaited by nobody')));
  process.exitCode = await runServe({ color: false, stdout: process.stdout, stderr: process.stderr, ...options });
`,
);

export class Served {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;

  constructor(options: object) {
    const defaults = { isBundle: false, watch: false, log: 'pretty' };
    this.child = spawn(process.execPath, [runner, JSON.stringify({ ...defaults, ...options })], {
      env: { ...process.env, GW_RUNTIME_DIR: runtimeDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += String(chunk)));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += String(chunk)));
    this.exit = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
    serving.add(this);
  }

  /** The address from its output. */
  async url(): Promise<string> {
    const found = await until(() => /serving .*?: (http:\/\/[\d.]+:\d+) \(main\)/.exec(this.stdout), 'the address');
    return found[1] ?? '';
  }
}
