/** Entry point of the thread of one custom duty. It may be terminated at any time. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Json } from '../bundle/types.js';
import type { DutyHost, DutyInstance, DutyReply, Logger } from '../contract/index.js';
import type { DutySetup, FromDuty, Settled, ToDuty } from './duty-protocol.js';
import { evaluateCode, shown } from './evaluate.js';
import { publishedValue } from './published-value.js';
import { RUN_API } from './runtime.js';

/** Requests of a duty at a time. */
const MOST_FETCHES = 64;

const port = parentPort;
if (!port) throw new Error('duty-worker.js runs as a worker thread only.');
const { text, use, name, settings, last }: DutySetup = workerData;
const send = (message: FromDuty): void => port.postMessage(message);

const fetches = new Map<number, { resolve(reply: DutyReply): void; reject(error: Error): void }>();
let ids = 0;
let published = last;

/** A value waits until the one before it has arrived; a newer one takes its place. */
let waiting: { readonly value: Json } | undefined;
let onItsWay = false;
const onArrival: (() => void)[] = [];

function sendNext(): void {
  if (onItsWay) return;
  if (waiting === undefined) {
    for (const resolve of onArrival.splice(0)) resolve();
    return;
  }
  const { value } = waiting;
  waiting = undefined;
  onItsWay = true;
  send({ publish: value });
}

/** Resolves when nothing waits. A run or an answer that comes after its value finds it in the workers. */
const arrived = (): Promise<void> =>
  new Promise((resolve) => {
    onArrival.push(resolve);
    sendNext();
  });

const log =
  (level: 'debug' | 'info' | 'warn' | 'error'): Logger['info'] =>
  (message, fields = {}) =>
    send({ log: level, message, fields: JSON.parse(JSON.stringify(fields)) });

const host: DutyHost = {
  name,
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  random: Math.random,
  logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
  fetch: (url, options = {}) =>
    new Promise((resolve, reject) => {
      if (fetches.size >= MOST_FETCHES) throw new Error(`${MOST_FETCHES} requests of the duty are pending`);
      const id = ++ids;
      // Throws for options that cannot be cloned.
      send({ fetch: id, url, options });
      fetches.set(id, { resolve, reject });
    }),
  publish(value) {
    published = publishedValue(value);
    waiting = { value: published };
    sendNext();
  },
  get last() {
    return published;
  },
};

let instance: DutyInstance | undefined;

/** Created on the first message, so that its error settles a run. */
function opened(): DutyInstance {
  if (instance !== undefined) return instance;
  const { definition } = evaluateCode(text, use, RUN_API);
  if (!('phase' in definition) || definition.duty === undefined) throw new Error('its module defines no duty');
  instance = definition.duty.create(settings, host);
  return instance;
}

async function settle(id: number, work: () => Promise<Json | undefined>): Promise<void> {
  try {
    const value = await work();
    await arrived();
    send({ settled: { id, value } });
  } catch (error) {
    send({ settled: { id, cause: shown(error) } });
  }
}

port.on('message', (message: ToDuty) => {
  if ('fetched' in message) fetched(message.fetched);
  else if ('published' in message) {
    onItsWay = false;
    sendNext();
  } else if ('close' in message) close();
  else if ('run' in message) void settle(message.run, async () => (await opened().run()) ?? undefined);
  else {
    void settle(message.ask, async () => {
      const duty = opened();
      if (duty.ask === undefined) throw new Error('the duty answers no questions');
      return await duty.ask(message.question);
    });
  }
});

function close(): void {
  try {
    instance?.close?.();
  } catch (error) {
    host.logger.warn('cannot close a duty', { cause: shown(error) });
  }
  process.exit(0);
}

function fetched(settled: Settled<DutyReply>): void {
  const waiting = fetches.get(settled.id);
  fetches.delete(settled.id);
  if ('value' in settled) waiting?.resolve(settled.value);
  else waiting?.reject(new Error(settled.cause));
}
