/** The worker's half of the port protocol: turns messages into calls of a data plane. */
import type { MessagePort } from 'node:worker_threads';
import type { DataPlaneApi, DataPlaneEvents } from '../proxy/types.js';
import { toWire, type WorkerCall, type WorkerMessage } from './port-protocol.js';

/** Serves calls on `port` until `close` is called. Rejections that nobody awaits are reported, and end nothing. */
export function serveCalls(port: MessagePort, create: (events: DataPlaneEvents) => DataPlaneApi): void {
  const tell = (message: WorkerMessage): void => port.postMessage(message);
  process.on('unhandledRejection', (reason) => {
    tell({
      tell: 'log',
      level: 'error',
      message: 'a rejection was not handled (a bug in gw)',
      fields: { error: reason instanceof Error ? (reason.stack ?? reason.message) : String(reason) },
    });
  });
  const plane = create({
    requests: (records, dropped) => tell({ tell: 'requests', records, dropped }),
    log: (level, message, fields) => tell({ tell: 'log', level, message, ...(fields ? { fields } : {}) }),
  });
  port.on('message', (call: WorkerCall) => {
    if (call.call === 'watch') {
      plane.watch(call.level);
      return;
    }
    answer(plane, call).then(
      (message) => {
        tell(message);
        if (call.call === 'close') port.close();
      },
      (error: unknown) => tell({ tell: 'failed', id: call.id, error: toWire(error) }),
    );
  });
}

async function answer(plane: DataPlaneApi, call: Exclude<WorkerCall, { call: 'watch' }>): Promise<WorkerMessage> {
  const { id } = call;
  if (call.call === 'load') return { tell: 'loaded', id, listeners: await plane.load(call.input) };
  if (call.call === 'drain') return { tell: 'drained', id, report: await plane.drain(call.timeoutMs) };
  await plane.close();
  return { tell: 'closed', id };
}
