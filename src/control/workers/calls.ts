/** The worker's side of the protocol: turns messages into calls of a data plane. */
import { inspect } from 'node:util';
import type { MessagePort } from 'node:worker_threads';
import type { Json } from '../../bundle/types.js';
import type { DataPlaneEvents, WorkerApi } from '../../proxy/types.js';
import { UNHANDLED_REJECTION } from '../signals.js';
import { fromWire, toWire, type WorkerCall, type WorkerMessage, type WorkerQuestion } from './protocol.js';

/** Serves calls on `port` until `close`. Errors that nothing catches: see catchStray(). */
export function serveCalls(port: MessagePort, create: (events: DataPlaneEvents) => WorkerApi): void {
  const post = (message: WorkerMessage): void => port.postMessage(message);
  const answers = new Answers();
  let connectDisk: ((port: MessagePort) => void) | undefined;
  const plane: WorkerApi = create({
    requests: (records, dropped) => post({ type: 'requests', records, dropped }),
    recent: (records) => post({ type: 'recent', records }),
    demand: (service) => post({ type: 'demand', service }),
    reports: (reports) => post({ type: 'reports', reports }),
    log: (level, message, fields) => {
      try {
        post({ type: 'log', level, message, ...(fields ? { fields } : {}) });
      } catch {
        // Some values cannot be cloned for another thread; logging must not throw.
        post({ type: 'log', level, message, fields: { text: inspect(fields) } });
      }
    },
    ask: (identity, question) => answers.expect((id) => post({ type: 'ask', id, identity, question })),
    disk: (_worker, connect, unapplied) => {
      connectDisk = connect;
      post({ type: 'disk', unapplied });
    },
    // The bytes are transferred, not copied.
    lines: (lines, count) =>
      port.postMessage({ type: 'lines', lines, count } satisfies WorkerMessage, transferOf(lines)),
  });
  catchStray(plane, (message, fields) => post({ type: 'log', level: 'error', message, fields }));
  const ask = async (question: WorkerQuestion): Promise<void> => {
    try {
      post(await answer(plane, question));
    } catch (error) {
      post({ type: 'failed', id: question.id, error: toWire(error) });
      return;
    }
    if (question.call === 'close') port.close();
  };
  port.on('message', (call: WorkerCall) => {
    if (call.call === 'ping') post({ type: 'pong' });
    else if (call.call === 'watch') plane.watch(call.level);
    else if (call.call === 'disk') connectDisk?.(call.port);
    else if (call.call === 'abort') plane.abort();
    else if (call.call === 'reopen') plane.reopenLog();
    else if (call.call === 'publish') plane.publish(call.identity, call.value);
    else if (call.call === 'answer' || call.call === 'unanswered') answers.take(call);
    else void ask(call);
  });
}

/**
 * Handles errors that nothing catches, as in timers and promises of custom code. An unhandled rejection is logged. An
 * uncaught exception ends the thread, unless it arose in custom code alone: then no exchange was interrupted by it.
 */
function catchStray(plane: WorkerApi, log: (message: string, fields: Readonly<Record<string, unknown>>) => void): void {
  const logged = (error: unknown, alone: boolean): boolean => {
    const stray = plane.strayOf?.(error);
    if (stray === undefined || (alone && !stray.alone)) return false;
    const { policies, cause } = stray;
    log('custom code failed outside of its hooks', { policies: listed(policies), cause, stack: stackOf(error) });
    return true;
  };
  process.on('unhandledRejection', (reason) => {
    if (!logged(reason, false)) log(UNHANDLED_REJECTION, { error: inspect(reason) });
  });
  process.on('uncaughtException', (error) => {
    // Thrown again, it ends the thread.
    if (!logged(error, true)) throw error;
  });
}

const MOST_LISTED = 5;
const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`;

const stackOf = (error: unknown): string | undefined => (error instanceof Error ? error.stack : undefined);

/** Questions to duties that control may have pending for this worker. */
const MAX_QUESTIONS = 4096;

/** Questions to duties that wait for their answers. Control answers each of them in a bounded time. */
class Answers {
  readonly #waiting = new Map<number, { resolve(answer: Json): void; reject(error: Error): void }>();
  #nextId = 1;

  expect(send: (id: number) => void): Promise<Json> {
    if (this.#waiting.size >= MAX_QUESTIONS)
      return Promise.reject(new Error('too many questions to duties are pending'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      send(id);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  take(call: Extract<WorkerCall, { call: 'answer' | 'unanswered' }>): void {
    const waiting = this.#waiting.get(call.id);
    this.#waiting.delete(call.id);
    if (call.call === 'answer') waiting?.resolve(call.answer);
    else waiting?.reject(fromWire(call.error));
  }
}

async function answer(plane: WorkerApi, question: WorkerQuestion): Promise<WorkerMessage> {
  const { id } = question;
  if (question.call === 'prepare') return { type: 'prepared', id, listeners: await plane.prepare(question.input) };
  if (question.call === 'commit') {
    plane.commit();
    return { type: 'committed', id };
  }
  if (question.call === 'consumers') {
    await plane.replaceConsumers(question.memory);
    return { type: 'used', id };
  }
  if (question.call === 'targets') {
    await plane.updateTargets(question.update);
    return { type: 'used', id };
  }
  if (question.call === 'certificates') {
    await plane.replaceCertificates(question.supplied);
    return { type: 'used', id };
  }
  if (question.call === 'report') {
    await plane.report();
    return { type: 'reported', id };
  }
  if (question.call === 'drain') return { type: 'drained', id, report: await plane.drain(question.timeoutMs) };
  await plane.close();
  return { type: 'closed', id };
}

const transferOf = ({ buffer }: Uint8Array): ArrayBuffer[] => (buffer instanceof ArrayBuffer ? [buffer] : []);
