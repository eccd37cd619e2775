import type { UpstreamUser } from '../../src/proxy/upstream/user.js';

/** Requests a connection and ignores all its events. */
export class IdleUser implements UpstreamUser {
  over = false;
  readonly method = 'GET';
  readonly shares: boolean = false;
  readonly streams: boolean = false;
  readonly clientKey: string = '192.0.2.1';
  readonly fresh = false;
  readonly since = 0;
  onConnection(_connection: Parameters<UpstreamUser['onConnection']>[0]): void {}
  onPlace(): void {}
  onUnavailable(_error: string): void {}
  onInterim(): void {}
  onHead(): void {}
  onTrailers(): void {}
  onBody(): boolean {
    return true;
  }
  onFailure(): void {}
  onUnprocessed(): void {}
  onMoved(): void {}
  onWritable(): void {}
}
