/** The worker's side of the protocol: turns messages into calls of a data plane. */
import { inspect } from 'node:util';
import type { MessagePort } from 'node:worker_threads';
import type { Json } from '../../bundle/types.js';
import type { DataPlaneEvents, WorkerApi } from '../../proxy/types.js';
import { UNHANDLED_REJECTION } from '../signals.js';
import { fromWire, toWire, type WorkerCall, type WorkerMessage, type WorkerQuestion } from './protocol.js';

/** Serves calls on `port` until `close`. Unhandled promise rejections are logged and do not end the thread. */
export function serveCalls(port: MessagePort, create: (events: DataPlaneEvents) => WorkerApi): void {
  const post = (message: WorkerMessage): void => port.postMessage(message);
  process.on('unhandledRejection', (reason) => {
    post({
      type: 'log',
      level: 'error',
      message: UNHANDLED_REJECTION,
      fields: { error: inspect(reason) },
    });
  });
  const answers = new Answers();
  const plane = create({
    requests: (records, dropped) => post({ type: 'requests', records, dropped }),
    recent: (records) => post({ type: 'recent', records }),
    failures: (failures) => post({ type: 'failures', failures }),
    log: (level, message, fields) => {
      try {
        post({ type: 'log', level, message, ...(fields ? { fields } : {}) });
      } catch {
        // Some values cannot be cloned for another thread; logging must not throw.
        post({ type: 'log', level, message, fields: { text: inspect(fields) } });
      }
    },
    ask: (identity, question) => answers.expect((id) => post({ type: 'ask', id, identity, question })),
    // The bytes are transferred, not copied.
    lines: (lines, count) =>
      port.postMessage({ type: 'lines', lines, count } satisfies WorkerMessage, transferOf(lines)),
  });
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
    else if (call.call === 'abort') plane.abort();
    else if (call.call === 'reopen') plane.reopenLog();
    else if (call.call === 'publish') plane.publish(call.identity, call.value);
    else if (call.call === 'answer' || call.call === 'unanswered') answers.take(call);
    else void ask(call);
  });
}

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
  if (question.call === 'drain') return { type: 'drained', id, report: await plane.drain(question.timeoutMs) };
  await plane.close();
  return { type: 'closed', id };
}

const transferOf = ({ buffer }: Uint8Array): ArrayBuffer[] => (buffer instanceof ArrayBuffer ? [buffer] : []);
