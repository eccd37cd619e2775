/** What the data of the admin API says about WebSockets. */

/** The WebSockets of a route. `in`: from clients. */
export interface WebSocketsSnapshot {
  readonly opened: number;
  readonly open: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A WebSocket that has ended. */
export interface WebSocketRecord {
  /** Messages of the client, and of the target. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** The status of the first Close frame (1005: it had none), and its sender; null: there was no Close. */
  readonly closeCode: number | null;
  readonly closedBy: 'client' | 'target' | 'gateway' | null;
}
