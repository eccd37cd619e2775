/** What is counted of WebSockets, for snapshots and metrics. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { WebSocketsSnapshot } from './snapshot.js';
import { Counter as Word } from './stats/layout.js';
import type { StatsRegistry } from './stats/registry.js';

/** The WebSockets of a route; undefined if it has had none. */
export function webSocketsOf(stats: StatsRegistry, slot: number): WebSocketsSnapshot | undefined {
  const opened = stats.sum(slot, Word.WebSockets);
  if (opened === 0) return undefined;
  return {
    opened,
    open: Math.max(0, stats.sum(slot, Word.OpenWebSockets)),
    messagesIn: stats.sum(slot, Word.WebSocketMessagesIn),
    messagesOut: stats.sum(slot, Word.WebSocketMessagesOut),
    bytesIn: stats.sum(slot, Word.WebSocketBytesIn),
    bytesOut: stats.sum(slot, Word.WebSocketBytesOut),
  };
}

const DIRECTIONS = [
  ['in', 'messagesIn', 'bytesIn'],
  ['out', 'messagesOut', 'bytesOut'],
] as const;

/** Adds the metrics of routes with WebSockets. `in`: from clients. */
export function webSocketMetrics(registry: Registry, stats: StatsRegistry): void {
  const registers = [registry];
  const each = (visit: (route: string, sockets: WebSocketsSnapshot) => void): void => {
    for (const [route, slot] of stats.entries('route')) {
      const sockets = webSocketsOf(stats, slot);
      if (sockets !== undefined) visit(route, sockets);
    }
  };
  const opened: Counter<'route'> = new Counter({
    name: 'gw_websockets_total',
    help: 'WebSockets that were opened.',
    labelNames: ['route'],
    registers,
    collect: () => {
      opened.reset();
      each((route, sockets) => opened.inc({ route }, sockets.opened));
    },
  });
  const open: Gauge<'route'> = new Gauge({
    name: 'gw_websockets_open',
    help: 'WebSockets that are open.',
    labelNames: ['route'],
    registers,
    collect: () => {
      open.reset();
      each((route, sockets) => open.set({ route }, sockets.open));
    },
  });
  const byDirection = (name: string, help: string, index: 1 | 2): void => {
    const metric: Counter<'route' | 'direction'> = new Counter({
      name,
      help,
      labelNames: ['route', 'direction'],
      registers,
      collect: () => {
        metric.reset();
        each((route, sockets) => {
          for (const one of DIRECTIONS) metric.inc({ route, direction: one[0] }, sockets[one[index]]);
        });
      },
    });
  };
  byDirection('gw_websocket_messages_total', 'Messages of WebSockets; in: from clients.', 1);
  byDirection('gw_websocket_bytes_total', 'Bytes of WebSockets with their frame headers; in: from clients.', 2);
}
