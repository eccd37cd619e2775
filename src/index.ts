/**
 * gw as a library: check and compile specs, run gateways, explain requests.
 *
 *     import { createGateway } from 'gw';
 *
 *     const gateway = await createGateway({ spec: 'gateway.toml', watch: true });
 *     console.log(gateway.addresses);
 *     process.once('SIGTERM', () => gateway.drain());
 *
 * Several gateways can run in one process: each owns its threads, sockets, managed processes and timers, and `close()` or
 * `drain()` stops them all.
 */
import { Gateway, type GatewayOptions } from './control/gateway.js';

export { BundleError, decodeBundle, encodeBundle } from './bundle/encode.js';
export type { Bundle, Program, RouteEntry, ServiceEntry } from './bundle/types.js';
export { type CompileOptions, type CompileStats, compile } from './compiler/index.js';
export {
  type ExplainedPolicy,
  Explainer,
  type ExplainRequest,
  type Explanation,
  explain,
  RefusedValueError,
  UnexplainableError,
} from './control/explain.js';
export { type GatewayEvents, StartError } from './control/gateway.js';
export { createLog, type Log, type LogOptions } from './control/log.js';
export { runServe, type ServeOptions } from './control/serve.js';
export { type CheckedSpec, checkSpec, lint } from './lint/index.js';
export { FORMATS as DIAGNOSTIC_FORMATS, render as renderDiagnostics } from './lint/render/index.js';
export type { BoundListener, DrainReport } from './proxy/types.js';
export { type Diagnostic, hasErrors, type Outcome, type Severity, type Span } from './schema/diagnostic.js';
export type { Model } from './spec/model.js';
export type { AdminEvent, GatewayState, ReloadSnapshot, RequestRecord, Snapshot } from './telemetry/snapshot.js';

export { Gateway, type GatewayOptions };

/**
 * Starts a gateway from a spec, a bundle or a model, and resolves when it is ready to serve.
 * @throws StartError with rendered diagnostics if the spec has errors, a listener cannot be bound or a managed target does
 * not start.
 */
export function createGateway(options: GatewayOptions): Promise<Gateway> {
  return Gateway.start(options);
}
