/** 200 signals at random moments of start, load and drain: each ends the process and its targets in time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { removeFolders, temporaryFolder } from '../control/kit.js';
import { isGone } from '../integration/control-kit.js';
import { GW } from '../support/gw-process.js';
import { until } from '../support/until.js';

const SIGNALS = 200;
/** Concurrent gateways; more than processors, because each waits during most of its drain. */
const AT_ONCE = Math.min(12, 3 * availableParallelism());
/** Milliseconds: drain_timeout, the grace of managed targets, and a margin for a busy machine. */
const BOUND = 15_000;
/** Milliseconds until a gateway serves, on a busy machine. */
const SETUP = 60_000;

/**
 * Milliseconds that the last gateway took to serve: signals of a start fall into all of it, however fast the machine
 * is.
 */
let startTakes = 1500;

const test = suite('signals');
test.after(removeFolders);

const TARGET = `console.log('target=' + process.pid);
require('node:http').createServer((_, reply) => setTimeout(() => reply.end('ok'), 300)).listen(process.env.PORT, '127.0.0.1');`;

const specOf = (body: string): string => `spec = 1
drain_timeout = "1s"
[listener.main]
address = "127.0.0.1:0"
[service.a]
run = { command = "'${process.execPath}' target.cjs", env = { BODY = "${body}" } }
[[route]]
name = "a"
match = "/a"
to = "a"
[[route]]
name = "b"
match = "/b"
reply = { body = "${body}" }
`;

interface Gateway {
  readonly child: ChildProcess;
  readonly spec: string;
  readonly over: Promise<unknown>;
  readonly output: () => string;
  /** Resolves when it serves, with its URL. */
  readonly serves: () => Promise<string>;
}

function start(): Gateway {
  const since = performance.now();
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, specOf('one'));
  writeFileSync(join(folder, 'target.cjs'), TARGET);
  const child = spawn(process.execPath, [GW, 'serve', '--log', 'json', spec], {
    env: { ...process.env, GW_RUNTIME_DIR: temporaryFolder() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const over = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  const serves = async (): Promise<string> => {
    const url = await until(() => /(http:\/\/[\d.]+:\d+) \(main\)/.exec(text)?.[1], 'the gateway', SETUP);
    startTakes = performance.now() - since;
    return url;
  };
  return { child, spec, over, output: () => text, serves };
}

const anyOf = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
const END = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
const ASK = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** Moments at which the signal is sent. */
const MOMENTS: Readonly<Record<string, (gateway: Gateway) => Promise<unknown>>> = {
  start: () => delay(Math.random() * startTakes),
  'target ready': async ({ output }) => {
    await until(() => output().includes('ready on'), 'the target', SETUP);
    await delay(Math.random() * 80);
  },
  load: async ({ serves, child, spec }) => {
    await serves();
    writeFileSync(spec, specOf(`two-${Math.random()}`));
    child.kill('SIGHUP');
    await delay(Math.random() * 400);
  },
  drain: async ({ serves, child }) => {
    const url = await serves();
    for (let count = 0; count < 3; count++) fetch(`${url}/a`).catch(() => {});
    await delay(50);
    child.kill(anyOf(END));
    await delay(Math.random() * 300);
    child.kill(anyOf(ASK));
  },
};

async function one(moment: string): Promise<void> {
  const gateway = start();
  const { child, over, output } = gateway;
  try {
    await MOMENTS[moment]?.(gateway).catch((error: unknown) => {
      throw new Error(`${moment}: ${String(error)}\n${output()}`);
    });
    const signal = anyOf(END);
    child.kill(signal);
    const late = delay(BOUND, 'late', { ref: false });
    assert.is.not(await Promise.race([over, late]), 'late', `${signal} at ${moment}:\n${output()}`);
    for (const [, pid] of output().matchAll(/target=(\d+)/g)) {
      await until(() => isGone(Number(pid)), `the target ${pid} to end, ${signal} at ${moment}`);
    }
  } finally {
    child.kill('SIGKILL');
  }
}

test('every one of 200 signals ends the process', async () => {
  const moments = Object.keys(MOMENTS);
  let sent = 0;
  const lane = async (): Promise<void> => {
    while (sent < SIGNALS) await one(moments[sent++ % moments.length] ?? 'start');
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
});

test.run();
