/**
 * session.request() of node:http2 binds a function to an async resource. AsyncResource.bind() defines properties on that function, for
 * which V8 makes a hidden class each time: up to a third of the cost of a request. Nothing reads these properties, so during
 * request() there is a plain closure, which runs in the same async scope. Other callers of bind() get that of Node.
 */
import { AsyncResource } from 'node:async_hooks';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionRequestOptions,
  OutgoingHttpHeaders,
} from 'node:http2';

type Bindable = (...args: unknown[]) => unknown;

/** Requests of the sessions of a thread. */
class LightBind {
  #requesting = false;
  #installed = false;

  request(
    session: ClientHttp2Session,
    fields: OutgoingHttpHeaders,
    options: ClientSessionRequestOptions,
  ): ClientHttp2Stream {
    if (!this.#installed) this.#install();
    this.#requesting = true;
    try {
      return session.request(fields, options);
    } finally {
      this.#requesting = false;
    }
  }

  #install(): void {
    this.#installed = true;
    const { bind } = AsyncResource.prototype;
    const isRequesting = (): boolean => this.#requesting;
    const value = function (this: AsyncResource, work: Bindable, ...rest: []): Bindable {
      if (!isRequesting()) return bind.call(this, work, ...rest);
      const run = (...args: unknown[]): unknown => this.runInAsyncScope(work, undefined, ...args);
      return run;
    };
    Object.defineProperty(AsyncResource.prototype, 'bind', { value, writable: true, configurable: true });
  }
}

/** That of the thread. */
export const lightBind = new LightBind();
