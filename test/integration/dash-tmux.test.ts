/** The dashboard in a tmux terminal, against a gateway that stops and restarts. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { width } from '../../src/dashboard/text.js';
import { onlyWhere } from '../support/only-where.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const MAIN = here('../../src/cli/main.js');
const FAKE = here('../dashboard/fake-gateway.js');
const hasTmux = spawnSync('tmux', ['-V']).status === 0;

interface OpenOptions {
  readonly env?: Record<string, string>;
  /** After a suspend, the shell waits for wake() and continues it. */
  readonly wake?: boolean;
}

class Terminal {
  readonly folder = mkdtempSync(join(tmpdir(), 'gwt-'));
  readonly #socket = join(this.folder, 't.sock');
  readonly #waker = join(this.folder, 'wake');
  readonly #gateways = new Set<ChildProcess>();

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
  }

  /** Starts `gw dash` in a shell that prints its exit code. */
  open(size: { columns: number; rows: number }, options: OpenOptions = {}): void {
    const all = { LC_ALL: 'C.UTF-8', GW_RUNTIME_DIR: this.folder, ...options.env };
    const variables = Object.entries(all).map(([name, value]) => `${name}='${value}'`);
    const program = `const { main } = await import(${JSON.stringify(MAIN)}); await main(process.argv.slice(1));`;
    const script = join(this.folder, 'dash.sh');
    const command = `env ${variables.join(' ')} '${process.execPath}' --input-type=module -e '${program}' -- dash`;
    const waked = options.wake ? `until [ -e '${this.#waker}' ]; do sleep 0.1; done\nfg\necho "then with $?"\n` : '';
    writeFileSync(script, `set -m\necho before\n${command}\necho "ended with $?"\n${waked}exec sleep 1000\n`);
    const { columns, rows } = size;
    this.#tmux(
      '-u',
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      String(columns),
      '-y',
      String(rows),
      `sh '${script}'`,
    );
    this.#tmux('set', '-g', 'status', 'off');
  }

  async gateway(...args: string[]): Promise<ChildProcess> {
    const child = spawn(process.execPath, [FAKE, '--directory', this.folder, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#gateways.add(child);
    assert.ok(child.stdout);
    await once(child.stdout, 'data');
    return child;
  }

  wake(): void {
    writeFileSync(this.#waker, '');
  }

  keys(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  type(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  screen(): string {
    return this.#tmux('capture-pane', '-p');
  }

  processOf(): number {
    const pane = this.#tmux('display', '-p', '#{pane_pid}').trim();
    return Number(execFileSync('pgrep', ['-P', pane, '-f', 'dash'], { encoding: 'utf8' }).trim().split('\n')[0]);
  }

  async shows(pattern: RegExp, deadlineMs = 20_000): Promise<string> {
    const end = Date.now() + deadlineMs;
    for (;;) {
      const screen = this.screen();
      if (pattern.test(screen)) return screen;
      if (Date.now() > end) throw new Error(`waited for ${pattern} and saw\n${screen}`);
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  async close(): Promise<void> {
    spawnSync('tmux', ['-S', this.#socket, 'kill-server']);
    for (const child of this.#gateways) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function inTerminal(work: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = new Terminal();
  try {
    await work(terminal);
  } finally {
    await terminal.close();
  }
}

const run = onlyWhere(hasTmux, 'tmux is not installed: the dashboard is not tried in a terminal', test);

run('keys switch views, a filter applies, the screen follows the size, q restores the terminal', async () => {
  await inTerminal(async (terminal) => {
    await terminal.gateway();
    terminal.open({ columns: 80, rows: 24 });
    const traffic = await terminal.shows(/\[1 Traffic\][\s\S]*get-order/);
    assert.is(traffic.trimEnd().split('\n').length, 24);
    assert.match(traffic, /● ready[\s\S]*● live/);
    terminal.keys('2');
    await terminal.shows(/\[2 Limits\][\s\S]*polite {2}100\/min by consumer/);
    terminal.keys('Tab');
    await terminal.shows(/\[3 Targets\][\s\S]*127\.0\.0\.1:4004/);
    terminal.keys('4');
    await terminal.shows(/\[4 Requests\][\s\S]*following/);
    await terminal.shows(/\d\d:\d\d:\d\d (GET|POST)/);
    terminal.keys('Down', 'Enter');
    await terminal.shows(/decisions[\s\S]*1 route \(match\) +/);
    terminal.keys('Escape', '5');
    await terminal.shows(/\[5 Reloads\][\s\S]*✗ rejected[\s\S]*policy\/unknown/);
    terminal.keys('1', '/');
    terminal.type('payments');
    await terminal.shows(/2 routes {2}filter: payments/);
    terminal.keys('Enter', '?');
    await terminal.shows(/╭─ help/);
    terminal.keys('Escape');
    terminal.resize(200, 50);
    const wide = await terminal.shows(/POLICIES[\s\S]*2 routes/);
    assert.ok(wide.split('\n').every((line) => width(line) <= 200));
    terminal.resize(50, 10);
    await terminal.shows(/50x10 is too small/);
    terminal.resize(80, 24);
    await terminal.shows(/\[1 Traffic\]/);
    terminal.keys('q');
    await terminal.shows(/^before\nended with 0/);
  });
});

run('reconnects after a restart of the gateway as another process with another socket', async () => {
  await inTerminal(async (terminal) => {
    const first = await terminal.gateway();
    terminal.open({ columns: 100, rows: 30 });
    await terminal.shows(/● live[\s\S]*get-order/);
    // Killed, so it cannot remove its entry and socket.
    first.kill('SIGKILL');
    await terminal.shows(/was ready .*✗ stale \d+s, reconnecting/);
    assert.match(terminal.screen(), /get-order/, 'the last data stays');
    const second = await terminal.gateway();
    await terminal.shows(/● live/);
    await terminal.shows(new RegExp(`process ${first.pid} is now ${second.pid}`));
  });
});

run('SIGTERM restores the terminal', async () => {
  await inTerminal(async (terminal) => {
    await terminal.gateway();
    terminal.open({ columns: 80, rows: 24 });
    await terminal.shows(/● live/);
    process.kill(terminal.processOf(), 'SIGTERM');
    await terminal.shows(/^before\n(Terminated\s*)?ended with 143/);
  });
});

run('r reloads, ctrl-l redraws, ctrl-z suspends until the shell continues it', async () => {
  await inTerminal(async (terminal) => {
    await terminal.gateway();
    terminal.open({ columns: 80, rows: 24 }, { wake: true });
    await terminal.shows(/● live/);
    terminal.keys('r');
    await terminal.shows(/● generation 13 is live: \+1 route/);
    terminal.keys('C-l');
    await terminal.shows(/\[1 Traffic\][\s\S]*get-order/);
    terminal.keys('C-z');
    await terminal.shows(/^before\n[\s\S]*ended with 1\d\d/);
    terminal.wake();
    await terminal.shows(/\[1 Traffic\][\s\S]*get-order/);
    terminal.keys('2');
    await terminal.shows(/\[2 Limits\]/);
    terminal.keys('q');
    await terminal.shows(/then with 0/);
  });
});

run('a crash restores the terminal before it is reported', async () => {
  await inTerminal(async (terminal) => {
    const gateway = await terminal.gateway();
    terminal.open({ columns: 100, rows: 30 });
    await terminal.shows(/● live/);
    // A snapshot that no gateway sends.
    gateway.kill('SIGUSR2');
    await terminal.shows(/^before\nThis is a bug in gw[\s\S]*ended with 70/);
  });
});

run('one of several gateways can be chosen; ASCII without UTF-8', async () => {
  await inTerminal(async (terminal) => {
    await terminal.gateway('--spec', '/srv/bank/gateway.toml');
    await terminal.gateway('--spec', '/srv/shop/gateway.toml');
    terminal.open({ columns: 80, rows: 24 }, { env: { LC_ALL: 'C' } });
    const list = await terminal.shows(/Choose one:/);
    assert.match(list, /\/srv\/bank\/gateway\.toml/);
    assert.match(list, /^> /m);
    terminal.keys('Down', 'Enter');
    const traffic = await terminal.shows(/\[1 Traffic\][\s\S]*get-order/);
    assert.match(traffic, /^[\x20-\x7e\n]*$/);
    assert.match(traffic, /\+ live/);
  });
});

run('without a terminal: an error that names the call that works', async () => {
  await inTerminal(async (terminal) => {
    await terminal.gateway();
    mkdirSync(join(terminal.folder, 'cwd'));
    const program = `const { main } = await import(${JSON.stringify(MAIN)}); await main(process.argv.slice(1));`;
    const gw = (...args: string[]) =>
      spawnSync(process.execPath, ['--input-type=module', '-e', program, '--', 'dash', ...args], {
        cwd: join(terminal.folder, 'cwd'),
        env: { ...process.env, GW_RUNTIME_DIR: terminal.folder },
        encoding: 'utf8',
      });
    const bare = gw();
    assert.is(bare.status, 2);
    assert.match(bare.stderr, /needs a terminal[\s\S]*gw dash --once/);
    const snapshot = gw('--once', '--json');
    assert.is(snapshot.status, 0);
    assert.is(JSON.parse(snapshot.stdout).version, 1);
  });
});

test.run();
