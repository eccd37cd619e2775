/** What a worker was told of endpoints since its generation was loaded, for a replacement of its thread. */
import type { GenerationInput, ServiceEndpoints, TargetsUpdate } from '../../proxy/types.js';

export class NewestTargets {
  readonly #services = new Map<string, ServiceEndpoints>();
  #chunks: readonly SharedArrayBuffer[] = [];

  note({ services, chunks }: TargetsUpdate): void {
    this.#chunks = chunks;
    for (const service of services) this.#services.set(service.service, service);
  }

  /** A generation went live: forgets services that it does not have. */
  keepOnly({ endpoints }: GenerationInput): void {
    for (const name of this.#services.keys()) if (endpoints?.has(name) !== true) this.#services.delete(name);
  }

  /** The input with the newest endpoints of its services. */
  addTo(input: GenerationInput): GenerationInput {
    const newer = [...this.#services.values()].filter(
      ({ service, version }) => version > (input.endpoints?.get(service)?.version ?? version),
    );
    if (newer.length === 0) return input;
    const endpoints = new Map(input.endpoints);
    for (const newest of newer) endpoints.set(newest.service, newest);
    const { stats } = input;
    const chunks = this.#chunks.length > stats.chunks.length ? this.#chunks : stats.chunks;
    return { ...input, endpoints, stats: { ...stats, chunks } };
  }
}
