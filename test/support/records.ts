import type { RequestRecord } from '../../src/telemetry/snapshot.js';

/** The record of a successful exchange, with overrides. */
export const requestRecord = (more: Partial<RequestRecord> = {}): RequestRecord => ({
  at: 1,
  id: 'id-1',
  remote: '127.0.0.1',
  method: 'GET',
  host: 'a.example',
  url: '/',
  status: 200,
  route: 'r',
  service: null,
  target: null,
  consumer: null,
  bytesIn: 0,
  bytesOut: 0,
  durationMs: 1,
  upstreamMs: null,
  error: null,
  cause: null,
  ...more,
});
