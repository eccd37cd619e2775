/**
 * What node:http2 reports of a request. The listeners of all streams are the same functions: closures for each event of each stream
 * would cost more than most of the events.
 */
import type { ClientHttp2Stream } from 'node:http2';
import type { RawFields } from './fields.js';

export interface StreamEvents {
  onResponse(raw: RawFields): void;
  onInterim(raw: RawFields): void;
  onTrailers(raw: RawFields): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  onDrain(): void;
  onWantTrailers(): void;
  onFrameError(type: number): void;
  onError(error: Error): void;
  onClose(): void;
  /** One of these has thrown. */
  broke(error: unknown): void;
}

const OWNER = Symbol('owner');

interface Owned {
  [OWNER]: StreamEvents;
}

/** Reports the events of `stream`. `hasBody`: of the request, which then `mayTrail`. */
export function listen(stream: ClientHttp2Stream, owner: StreamEvents, hasBody: boolean, mayTrail: boolean): void {
  const owned: ClientHttp2Stream & Owned = Object.assign(stream, { [OWNER]: owner });
  owned.on('response', onResponse);
  owned.on('headers', onInterim);
  owned.on('trailers', onTrailers);
  owned.on('end', onEnd);
  if (hasBody) owned.on('drain', onDrain);
  if (mayTrail) owned.on('wantTrailers', onWantTrailers);
  owned.on('frameError', onFrameError);
  owned.on('error', onError);
  owned.on('close', onClose);
}

/** Not before the head: parts of the body that come together with it would be reported first. */
export function listenForBody(stream: ClientHttp2Stream): void {
  stream.on('data', onData);
}

function onResponse(this: Owned, _fields: object, _flags: number, raw: RawFields = []): void {
  try {
    this[OWNER].onResponse(raw);
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onInterim(this: Owned, _fields: object, _flags: number, raw: RawFields = []): void {
  try {
    this[OWNER].onInterim(raw);
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onTrailers(this: Owned, _fields: object, _flags: number, raw: RawFields = []): void {
  try {
    this[OWNER].onTrailers(raw);
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onData(this: Owned, chunk: Buffer): void {
  try {
    this[OWNER].onData(chunk);
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onEnd(this: Owned): void {
  try {
    this[OWNER].onEnd();
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onDrain(this: Owned): void {
  try {
    this[OWNER].onDrain();
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onWantTrailers(this: Owned): void {
  try {
    this[OWNER].onWantTrailers();
  } catch (error) {
    this[OWNER].broke(error);
  }
}

function onFrameError(this: Owned, type: number): void {
  this[OWNER].onFrameError(type);
}

function onError(this: Owned, error: Error): void {
  this[OWNER].onError(error);
}

function onClose(this: Owned): void {
  try {
    this[OWNER].onClose();
  } catch (error) {
    this[OWNER].broke(error);
  }
}
